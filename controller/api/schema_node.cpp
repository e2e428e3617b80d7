#include "controller/api/schema_node.hpp"

#include <functional>
#include <stdexcept>
#include <unordered_map>

#include <nlohmann/json.hpp>

namespace atq::api {
namespace {

using nlohmann::json;

NodeType type_of(const std::string& name) {
  static const std::map<std::string, NodeType> kTypes = {{"object", NodeType::Object},
                                                         {"array", NodeType::Array},
                                                         {"string", NodeType::String},
                                                         {"integer", NodeType::Integer},
                                                         {"boolean", NodeType::Boolean}};
  const auto found = kTypes.find(name);
  if (found == kTypes.end()) throw std::logic_error("schema: unknown type " + name);
  return found->second;
}

Bounds& range_of(SchemaNode& node) {
  if (!node.range) node.range.emplace();
  return *node.range;
}

void read_format(const std::string& format, SchemaNode& node) {
  if (format == "password") {
    node.secret = true;
  } else if (format == "date-time") {
    node.time = true;
  } else {
    throw std::logic_error("schema: unknown format " + format);
  }
}

bool has_check_rule(const json& rules) {
  static constexpr std::string_view kId = "check-one-kind:";
  for (const auto& rule : rules) {
    if (rule.at("message").get_ref<const std::string&>().starts_with(kId)) return true;
  }
  return false;
}

using Reader = std::function<void(const json&, SchemaNode&)>;

/// Keywords that are copied as they are, and those that mean nothing to a walk.
const std::unordered_map<std::string, Reader>& plain_keywords() {
  static const std::unordered_map<std::string, Reader> kReaders = {
      {"type", [](const json& v, SchemaNode& n) { n.type = type_of(v); }},
      {"required", [](const json& v, SchemaNode& n) { n.required = v; }},
      {"enum", [](const json& v, SchemaNode& n) { n.enumeration = v; }},
      {"title", [](const json& v, SchemaNode& n) { n.title = v; }},
      {"minLength", [](const json& v, SchemaNode& n) { n.size.min = v; }},
      {"maxLength", [](const json& v, SchemaNode& n) { n.size.max = v.get<int64_t>(); }},
      {"minItems", [](const json& v, SchemaNode& n) { n.size.min = v; }},
      {"maxItems", [](const json& v, SchemaNode& n) { n.size.max = v.get<int64_t>(); }},
      {"minProperties", [](const json& v, SchemaNode& n) { n.size.min = v; }},
      {"maxProperties", [](const json& v, SchemaNode& n) { n.size.max = v.get<int64_t>(); }},
      {"minimum", [](const json& v, SchemaNode& n) { range_of(n).min = v; }},
      {"maximum", [](const json& v, SchemaNode& n) { range_of(n).max = v.get<int64_t>(); }},
      {"format", [](const json& v, SchemaNode& n) { read_format(v, n); }},
      {"x-kubernetes-preserve-unknown-fields", [](const json& v, SchemaNode& n) { n.open = v; }},
      {"x-kubernetes-list-map-keys", [](const json& v, SchemaNode& n) { n.list_key = v.at(0); }},
      {"x-kubernetes-validations",
       [](const json& v, SchemaNode& n) { n.one_check_kind = has_check_rule(v); }},
      {"x-key-title", [](const json& v, SchemaNode& n) { n.key_title = v; }},
      {"x-key-max-length", [](const json& v, SchemaNode& n) { n.key_size.max = v.get<int64_t>(); }},
      {"default", [](const json&, SchemaNode&) {}},
      {"x-kubernetes-list-type", [](const json&, SchemaNode&) {}},
  };
  return kReaders;
}

}  // namespace

const SchemaNode* SchemaNode::property(std::string_view name) const {
  for (const auto& [key, node] : properties) {
    if (key == name) return node;
  }
  return nullptr;
}

CompiledSchema::CompiledSchema(std::string_view object_schema, std::string_view metadata_schema) {
  auto document = json::parse(object_schema);
  document.at("properties").at("metadata") = json::parse(metadata_schema);
  document.at("required").push_back("metadata");
  root_ = compile(document);
}

const SchemaNode* CompiledSchema::compile(const json& schema) {
  SchemaNode node;
  for (const auto& [keyword, value] : schema.items()) compile_keyword(keyword, value, node);
  return &nodes_.emplace_back(std::move(node));
}

void CompiledSchema::compile_keyword(const std::string& keyword, const json& value,
                                     SchemaNode& node) {
  if (keyword == "properties") {
    for (const auto& [name, property] : value.items()) {
      node.properties.emplace_back(name, compile(property));
    }
  } else if (keyword == "items") {
    node.items = compile(value);
  } else if (keyword == "additionalProperties") {
    node.additional = compile(value);
  } else if (keyword == "pattern") {
    node.pattern = pattern(value);
  } else if (keyword == "x-key-pattern") {
    node.key_pattern = pattern(value);
  } else {
    const auto reader = plain_keywords().find(keyword);
    if (reader == plain_keywords().end()) {
      throw std::logic_error("schema: unknown keyword " + keyword);
    }
    reader->second(value, node);
  }
}

const RE2* CompiledSchema::pattern(const std::string& text) {
  auto& compiled = patterns_[text];
  if (!compiled) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    compiled = std::make_unique<RE2>(text, options);
    if (!compiled->ok()) throw std::logic_error("schema: pattern " + compiled->error());
  }
  return compiled.get();
}

}  // namespace atq::api
