#pragma once
// What a YAML scalar means, as kubectl takes it (sigs.k8s.io/yaml: YAML 1.1 with some of 1.2, then
// JSON). tests/data/yaml-scalars.yaml is the table measured against that library.

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "src/base/error.hpp"

namespace atq::api {

/// A plain (unquoted) scalar without a tag: string, integer, float, boolean or null. Fails for
/// .inf and .nan, which JSON cannot hold.
Result<nlohmann::json> resolve_plain(std::string_view text);

/// A scalar under an explicit tag ("tag:yaml.org,2002:int"; unknown tags give the string).
Result<nlohmann::json> resolve_tagged(std::string_view tag, const std::string& text);

/// JSON has one kind of number: what is whole is an integer there, also where it was written 1e3 or
/// 3.0, as for the API server.
nlohmann::json number_of(double value);

/// A scalar as key of a map: 1 -> "1", yes -> "true"; null is refused.
Result<std::string> key_of_scalar(const nlohmann::json& value);

}  // namespace atq::api
