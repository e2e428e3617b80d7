#pragma once
// Block-style YAML of a JSON document, for people. Reading it back with the decoder (or kubectl)
// gives the same document.

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace atq::api {

std::string to_block_yaml(const nlohmann::ordered_json& document);

}  // namespace atq::api
