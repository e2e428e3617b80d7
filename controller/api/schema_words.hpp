#pragma once
// The words of the schema's messages: what was found, what was expected, what to do about it.

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "controller/api/schema_node.hpp"

namespace atq::api {

/// Most bytes of a foreign value or name in a message.
inline constexpr size_t kMaxShown = 60;

/// Printable and cut.
std::string shown(std::string_view text);
std::string in_quotes(std::string_view text);

/// "string \"three\"", "number 5", "a list"; only the kind where the node is secret.
std::string found(const nlohmann::json& value, const SchemaNode& node);
std::string found_string(const std::string& text, const SchemaNode& node);

/// What a node takes, for the words after "expected".
std::string described(const SchemaNode& node);
std::string integer_text(const SchemaNode& node);
std::string one_of(const std::vector<std::string>& values);

/// What to do about a value of the wrong type; empty where that is plain.
std::string advice(const nlohmann::json& value, const SchemaNode& node);

}  // namespace atq::api
