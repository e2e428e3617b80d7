#pragma once
// From a JSON document to typed values. Lenient: what is missing, null or of the wrong type keeps
// the field's default, as the schema check has named it already (or the text was encoded by us).

#include <nlohmann/json_fwd.hpp>

#include "controller/api/codec.hpp"

namespace atq::api {

/// As decode_json() of its text, for who has it parsed already.
Document decode_document(nlohmann::json&& document, const Limits& limits = {});

LoadTest decode_object(const nlohmann::json& document);
LoadTestSpec decode_spec_object(const nlohmann::json& document);
LoadTestStatus decode_status_object(const nlohmann::json& document);

RoleSpec decode_role(const nlohmann::json& object);
Readiness decode_readiness(const nlohmann::json& object);
/// Of the member `checks`.
std::vector<HealthCheckItem> decode_checks(const nlohmann::json& owner);

}  // namespace atq::api
