#pragma once
// The schema compiled for walking: internal to schema.cpp and schema_node.cpp.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <re2/re2.h>

namespace atq::api {

enum class NodeType { Any, Object, Array, String, Integer, Boolean };

/// Bounds of a length, a size or a value; the schema has a maximum wherever it has a minimum.
struct Bounds {
  int64_t min = 0;
  std::optional<int64_t> max;
};

struct SchemaNode {
  NodeType type = NodeType::Any;
  std::vector<std::pair<std::string, const SchemaNode*>> properties;
  const SchemaNode* items = nullptr;
  const SchemaNode* additional = nullptr;  ///< values of a map
  std::vector<std::string> required;
  std::vector<std::string> enumeration;
  std::string list_key;  ///< of a list map
  std::string title;     ///< what the pattern takes, in words
  Bounds size;           ///< characters, items or fields
  std::optional<Bounds> range;
  const RE2* pattern = nullptr;
  const RE2* key_pattern = nullptr;  ///< of the keys of a map, with key_title and key_size
  std::string key_title;
  Bounds key_size;
  bool secret = false;          ///< values never stand in messages
  bool time = false;            ///< RFC 3339
  bool open = false;            ///< unknown fields are kept, and not looked at
  bool one_check_kind = false;  ///< has the rule check-one-kind

  const SchemaNode* property(std::string_view name) const;
};

/// Owns nodes and patterns; equal patterns are shared.
class CompiledSchema {
 public:
  /// Throws std::logic_error for a schema it does not understand: the text is compiled in, and a
  /// keyword that is silently ignored would be a hole.
  explicit CompiledSchema(std::string_view object_schema, std::string_view metadata_schema);

  const SchemaNode& root() const { return *root_; }

 private:
  const SchemaNode* compile(const nlohmann::json& schema);
  void compile_keyword(const std::string& keyword, const nlohmann::json& value, SchemaNode& node);
  const RE2* pattern(const std::string& text);

  std::deque<SchemaNode> nodes_;
  std::map<std::string, std::unique_ptr<RE2>> patterns_;
  const SchemaNode* root_ = nullptr;
};

}  // namespace atq::api
