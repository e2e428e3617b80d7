#include "controller/api/schema_words.hpp"

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

std::string kind_of(const json& value) {
  switch (value.type()) {
    case json::value_t::object:
      return "an object";
    case json::value_t::array:
      return "a list";
    case json::value_t::string:
      return "a string";
    case json::value_t::boolean:
      return "a boolean";
    case json::value_t::null:
      return "null";
    default:
      return "a number";
  }
}

}  // namespace

std::string shown(std::string_view text) {
  return truncate(to_printable(text.substr(0, 4 * kMaxShown)), kMaxShown);
}

std::string in_quotes(std::string_view text) { return "\"" + shown(text) + "\""; }

std::string found_string(const std::string& text, const SchemaNode& node) {
  return node.secret ? "a string" : "string " + in_quotes(text);
}

std::string found(const json& value, const SchemaNode& node) {
  if (value.is_structured() || value.is_null() || node.secret) return kind_of(value);
  if (value.is_string()) return found_string(value.get_ref<const std::string&>(), node);
  return (value.is_boolean() ? "" : "number ") + value.dump();
}

std::string one_of(const std::vector<std::string>& values) {
  std::vector<std::string> words;
  for (const auto& value : values) words.push_back(value.empty() ? "\"\"" : value);
  return "one of " + join(words, ", ");
}

std::string integer_text(const SchemaNode& node) {
  if (!node.range) return "an integer";
  const auto& [min, max] = *node.range;
  if (max) return "an integer from " + std::to_string(min) + " to " + std::to_string(*max);
  return "an integer from " + std::to_string(min) + " up";
}

std::string described(const SchemaNode& node) {
  switch (node.type) {
    case NodeType::Any:
      return "a value";
    case NodeType::Object:
      return "an object";
    case NodeType::Array:
      return node.items->type == NodeType::String ? "a list, such as [a, b]"
                                                  : "a list, each item after a -";
    case NodeType::Integer:
      return integer_text(node);
    case NodeType::Boolean:
      return "true or false";
    case NodeType::String:
      break;
  }
  if (!node.enumeration.empty()) return one_of(node.enumeration);
  if (!node.title.empty()) return node.title;
  return node.time ? "a time such as 2026-01-31T12:00:00Z" : "a string";
}

std::string advice(const json& value, const SchemaNode& node) {
  const bool unquoted = value.is_number() || value.is_boolean();
  if (node.type == NodeType::String && unquoted && node.enumeration.empty()) {
    return "; put it in quotes";
  }
  if (!value.is_string()) return {};
  const auto& text = value.get_ref<const std::string&>();
  const bool digits =
      !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == text.npos;
  if (node.type == NodeType::Integer && digits) return "; leave out the quotes";
  if (node.type == NodeType::Boolean && (text == "true" || text == "false")) {
    return "; leave out the quotes";
  }
  return {};
}

}  // namespace atq::api
