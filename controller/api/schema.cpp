#include "controller/api/schema.hpp"

#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "controller/api/schema_node.hpp"
#include "controller/api/schema_words.hpp"
#include "controller/api/validation.hpp"
#include "src/base/text.hpp"
#include "src/base/time.hpp"

namespace atq::embedded {
std::string_view loadtest_schema_json();
std::string_view metadata_schema_json();
}  // namespace atq::embedded

namespace atq::api {
namespace {

using nlohmann::json;

constexpr size_t kMaxListed = 12;
constexpr size_t kMaxAnnotationBytes = 262'144;

const CompiledSchema& compiled() {
  static const CompiledSchema kSchema(embedded::loadtest_schema_json(),
                                      embedded::metadata_schema_json());
  return kSchema;
}

/// "a, b and c"
std::string listed(const std::vector<std::string>& words, std::string_view last = " and ") {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? last : ", ";
    out += words[i];
  }
  return out;
}

int64_t count_characters(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  return count;
}

/// Whether `path` names `owner` or something in it.
bool is_within(std::string_view path, std::string_view owner) {
  if (!path.starts_with(owner)) return false;
  return path.size() == owner.size() || path[owner.size()] == '.' || path[owner.size()] == '[';
}

class Walker {
 public:
  std::vector<Problem> walk(const json& document) {
    check(document, compiled().root());
    check_head(document);
    return std::move(problems_);
  }

 private:
  /// Appends an element to the path for a scope.
  class Step {
   public:
    Step(std::string& path, std::string_view name) : path_(path), size_(path.size()) {
      if (!path.empty()) path += '.';
      path += shown(name);
    }
    Step(std::string& path, size_t index) : path_(path), size_(path.size()) {
      path += '[' + std::to_string(index) + ']';
    }
    ~Step() { path_.resize(size_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    std::string& path_;
    size_t size_;
  };

  bool full() const { return problems_.size() > kMaxProblems; }
  void add(std::string message, std::string_view rule = "schema") {
    if (full()) return;
    if (problems_.size() == kMaxProblems) {
      problems_.push_back({"", "more problems than the 100 listed; mend these first", "schema"});
      return;
    }
    problems_.push_back({path_, std::move(message), std::string(rule)});
  }

  void check(const json& value, const SchemaNode& node) {
    if (full()) return;
    if (!has_type(value, node.type)) {
      add("found " + found(value, node) + ", expected " + described(node) + advice(value, node));
      return;
    }
    switch (node.type) {
      case NodeType::Object:
        return check_object(value, node);
      case NodeType::Array:
        return check_list(value, node);
      case NodeType::String:
        return check_string(value.get_ref<const std::string&>(), node);
      case NodeType::Integer:
        return check_integer(value, node);
      case NodeType::Any:
      case NodeType::Boolean:
        return;
    }
  }

  static bool has_type(const json& value, NodeType type) {
    switch (type) {
      case NodeType::Any:
        return true;
      case NodeType::Object:
        return value.is_object();
      case NodeType::Array:
        return value.is_array();
      case NodeType::String:
        return value.is_string();
      case NodeType::Integer:
        return value.is_number_integer();
      case NodeType::Boolean:
        return value.is_boolean();
    }
    return false;
  }

  void check_size(int64_t size, const Bounds& bounds, std::string_view what) {
    if (bounds.max && size > *bounds.max) {
      add("found " + std::to_string(size) + " " + std::string(what) + ", expected at most " +
          std::to_string(*bounds.max));
    } else if (size < bounds.min) {
      add("found " + (size == 0 ? "no" : std::to_string(size)) + " " + std::string(what) +
          ", expected at least " + std::to_string(bounds.min));
    }
  }

  void check_object(const json& object, const SchemaNode& node) {
    const bool is_map = node.additional != nullptr;
    check_size(static_cast<int64_t>(object.size()), node.size, is_map ? "entries" : "fields");
    for (const auto& name : node.required) {
      const auto member = object.find(name);
      if (member != object.end() && !member->is_null()) continue;
      const Step step(path_, name);
      add("found nothing, expected " + described(*node.property(name)));
    }
    for (const auto& [name, value] : object.items()) {
      if (full()) return;
      check_member(name, value, node);
    }
    if (node.one_check_kind) check_one_kind(object);
  }

  void check_member(const std::string& name, const json& value, const SchemaNode& node) {
    const auto* property = node.property(name);
    if (property == nullptr && node.open) return;
    const Step step(path_, name);
    if (property == nullptr && node.additional == nullptr) return add_unknown(name, node);
    if (property == nullptr) check_key(name, node);
    if (!value.is_null()) check(value, property != nullptr ? *property : *node.additional);
  }

  void check_key(const std::string& name, const SchemaNode& node) {
    if (node.key_pattern == nullptr) return;
    const bool fits = count_characters(name) <= node.key_size.max.value_or(INT64_MAX);
    if (fits && RE2::PartialMatch(name, *node.key_pattern)) return;
    add("found the name " + in_quotes(name) + ", expected " + node.key_title);
  }

  void add_unknown(const std::string& name, const SchemaNode& node) {
    std::vector<std::string_view> known;
    for (const auto& entry : node.properties) known.push_back(entry.first);
    const auto meant = nearest(name.substr(0, kMaxShown), known);
    if (!meant.empty()) {
      return add("unknown field; did you mean " + std::string(meant) + "?", "unknown-field");
    }
    std::vector<std::string> names(known.begin(), known.end());
    if (names.size() > kMaxListed) {
      names.resize(kMaxListed);
      names.emplace_back("…");
    }
    add("unknown field, expected one of " + join(names, ", "), "unknown-field");
  }

  void check_one_kind(const json& check) {
    static constexpr const char* kKinds[] = {"tcp", "udp", "http", "exec"};
    std::vector<std::string> kinds;
    for (const auto* kind : kKinds) {
      const auto member = check.find(kind);
      if (member != check.end() && !member->is_null()) kinds.emplace_back(kind);
    }
    if (kinds.size() == 1) return;
    add("found " + (kinds.empty() ? "none" : listed(kinds)) +
            ", expected exactly one of tcp, udp, http and exec",
        "check-one-kind");
  }

  void check_list(const json& list, const SchemaNode& node) {
    check_size(static_cast<int64_t>(list.size()), node.size, "items");
    for (size_t i = 0; i < list.size() && !full(); ++i) {
      const Step step(path_, i);
      check(list[i], *node.items);
    }
    if (!node.list_key.empty()) check_unique(list, node.list_key);
  }

  void check_unique(const json& list, const std::string& key) {
    std::map<std::string_view, size_t> seen;
    for (size_t i = 0; i < list.size() && !full(); ++i) {
      if (!list[i].is_object()) continue;
      const auto member = list[i].find(key);
      if (member == list[i].end() || !member->is_string()) continue;
      const auto& name = member->get_ref<const std::string&>();
      const auto [first, is_new] = seen.emplace(name, i);
      if (is_new) continue;
      const Step item(path_, i);
      const Step step(path_, key);
      add("found " + in_quotes(name) + " again, expected each " + key +
          " once; it is also in item [" + std::to_string(first->second) + "]");
    }
  }

  void check_string(const std::string& text, const SchemaNode& node) {
    const int64_t length = count_characters(text);
    if (length == 0 && node.size.min > 0) {
      const bool plain = node.title.empty() && node.enumeration.empty();
      return add("found an empty string, expected " +
                 (plain ? "one that is not empty" : described(node)));
    }
    if (node.size.max && length > *node.size.max)
      return check_size(length, node.size, "characters");
    if (!node.enumeration.empty()) return check_enum(text, node);
    const bool matches = node.pattern == nullptr || RE2::PartialMatch(text, *node.pattern);
    if (!matches || (node.time && !parse_rfc3339(text))) {
      add("found " + found_string(text, node) + ", expected " + described(node));
    }
  }

  void check_enum(const std::string& text, const SchemaNode& node) {
    std::vector<std::string_view> known;
    for (const auto& value : node.enumeration) {
      if (value == text) return;
      if (!value.empty()) known.push_back(value);
    }
    const auto meant = nearest(text.substr(0, kMaxShown), known);
    add("found " + found_string(text, node) + ", expected " + one_of(node.enumeration) +
        (meant.empty() ? "" : "; did you mean " + std::string(meant) + "?"));
  }

  void check_integer(const json& value, const SchemaNode& node) {
    if (!node.range) return;
    const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX};
    const int64_t number = huge ? INT64_MAX : value.get<int64_t>();
    const bool above = node.range->max && number > *node.range->max;
    if (huge || above || number < node.range->min) {
      add("found " + value.dump() + ", expected " + integer_text(node));
    }
  }

  /// What the schema cannot say of the top: the constants, and the size of all annotations.
  void check_head(const json& document) {
    if (!document.is_object()) return;
    check_constant(document, "apiVersion", kApiVersion);
    check_constant(document, "kind", kKind);
    const auto annotations = json::json_pointer("/metadata/annotations");
    if (!document.contains(annotations) || !document.at(annotations).is_object()) return;
    size_t bytes = 0;
    for (const auto& [name, value] : document.at(annotations).items()) {
      bytes += name.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
    }
    if (bytes <= kMaxAnnotationBytes) return;
    const Step metadata(path_, "metadata");
    const Step step(path_, "annotations");
    add("found " + std::to_string(bytes) + " bytes in all, expected at most 262144");
  }

  void check_constant(const json& document, const char* name, std::string_view expected) {
    const Step step(path_, name);
    const auto member = document.find(name);
    if (member == document.end() || member->is_null()) {
      add("found nothing, expected " + std::string(expected));
    } else if (member->is_string() && member->get_ref<const std::string&>() != expected) {
      add("found " + in_quotes(member->get_ref<const std::string&>()) + ", expected " +
          std::string(expected));
    }
  }

  std::string path_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check_schema(const json& document) { return Walker().walk(document); }

std::vector<Problem> check_document(const json& document, const LoadTest& test) {
  auto problems = check_schema(document);
  const size_t structural = problems.size();
  const auto is_known = [&](const Problem& problem) {
    for (size_t i = 0; i < structural; ++i) {
      if (is_within(problems[i].path, problem.path) || is_within(problem.path, problems[i].path)) {
        return true;
      }
    }
    return false;
  };
  for (const auto& found_more : {check_rules(test), check_semantics(test)}) {
    for (const auto& problem : found_more) {
      if (problems.size() <= kMaxProblems && !is_known(problem)) problems.push_back(problem);
    }
  }
  return problems;
}

std::string_view schema_json() { return embedded::loadtest_schema_json(); }

}  // namespace atq::api
