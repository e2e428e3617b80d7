#include "controller/api/codec.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "controller/api/decode.hpp"
#include "controller/api/document.hpp"
#include "controller/api/json_file.hpp"
#include "controller/api/schema.hpp"
#include "src/base/text.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

constexpr std::string_view kGroup = "atq.dev/";

std::string_view text_at(const json& document, const char* key) {
  if (!document.is_object()) return {};
  const auto found = document.find(key);
  if (found == document.end() || !found->is_string()) return {};
  return found->get_ref<const std::string&>();
}

/// Names another kind of object. A slip in ours (a wrong version of our group, a missing kind) is a
/// problem instead.
bool is_foreign(const json& document) {
  const std::string_view version = text_at(document, "apiVersion");
  const std::string_view kind = text_at(document, "kind");
  return !version.empty() && !kind.empty() && !version.starts_with(kGroup);
}

void append(std::vector<Problem>& problems, std::vector<Problem> more) {
  std::move(more.begin(), more.end(), std::back_inserter(problems));
}

void place(std::vector<Problem>& problems, const PositionedJson& parsed) {
  bool any = false;
  for (Problem& problem : problems) {
    if (problem.line == 0) {
      const Position position = parsed.positions.nearest(problem.path);
      problem.line = position.line;
      problem.column = position.column;
      if (problem.line == 0 && parsed.positions.known()) {
        problem.line = parsed.line;
        problem.column = 1;
      }
    }
    any = any || problem.line > 0;
  }
  if (!any) return;
  std::ranges::stable_sort(
      problems, {}, [](const Problem& problem) { return std::pair(problem.line, problem.column); });
}

bool nests_deeper(const json& value, size_t levels) {
  if (!value.is_structured()) return false;
  if (levels == 0) return true;
  return std::ranges::any_of(value,
                             [&](const json& each) { return nests_deeper(each, levels - 1); });
}

Document to_document(PositionedJson&& parsed) {
  Document document;
  document.line = parsed.line;
  document.problems = std::move(parsed.problems);
  document.foreign = document.problems.empty() && is_foreign(*parsed.value);
  if (document.foreign) return document;
  document.test = decode_object(*parsed.value);
  if (parsed.broken) return document;
  append(document.problems, check_document(*parsed.value, document.test));
  if (!document.problems.empty()) place(document.problems, parsed);
  return document;
}

}  // namespace

std::vector<Document> decode_yaml(std::string_view text, const Limits& limits) {
  std::vector<Document> documents;
  for (PositionedJson& parsed : parse_yaml(text, limits)) {
    documents.push_back(to_document(std::move(parsed)));
  }
  return documents;
}

Document decode_document(json&& value, const Limits& limits) {
  PositionedJson parsed;
  if (nests_deeper(value, limits.max_depth)) {
    parsed.problems.push_back(
        {.path = "",
         .message = "found more than " + std::to_string(limits.max_depth) + " levels of nesting",
         .rule = "syntax"});
    parsed.broken = true;
    // Who it is can still be said; the rest is not walked into.
    if (value.is_object()) {
      std::erase_if(value.get_ref<json::object_t&>(),
                    [](const auto& entry) { return entry.first != "metadata"; });
    }
    if (nests_deeper(value, limits.max_depth)) value = json::object();
  }
  parsed.value = std::make_shared<const json>(std::move(value));
  return to_document(std::move(parsed));
}

Document decode_json(std::string_view text, const Limits& limits) {
  return to_document(parse_json(text, limits, false));
}

Document decode_json_file(std::string_view text, const Limits& limits) {
  Document document = to_document(parse_json(text, limits, false));
  if (document.problems.empty()) return document;
  return to_document(parse_json(text, limits, true));
}

}  // namespace atq::api
