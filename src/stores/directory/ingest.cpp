#include "src/stores/directory/ingest.hpp"

#include <algorithm>

#include "src/base/text.hpp"
#include "src/stores/directory/names.hpp"

namespace atq::stores::directory {
namespace {

Ingested broken(std::string message) { return {{}, {std::move(message)}, true}; }

/// Line of the first byte that is_clean_utf8() refuses, 1-based.
size_t first_unclean_line(std::string_view text) {
  size_t line = 1;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (!is_clean_utf8(text.substr(0, end))) return line;
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line;
  }
  return line;
}

bool ends_the_file(const api::Document& document) {
  return std::ranges::any_of(document.problems,
                             [](const auto& p) { return p.rule == "syntax" || p.rule == "limit"; });
}

std::string first_problem(const api::Document& document) {
  if (document.problems.empty()) return {};
  std::string text = api::to_string(document.problems.front());
  if (document.problems.size() > 1) {
    text += " (and " + std::to_string(document.problems.size() - 1) + " more)";
  }
  return text;
}

void check_namespace(Candidate& candidate, const std::string& expected, std::string_view folder) {
  auto& ns = candidate.test.metadata.ns;
  if (folder.empty() || ns == expected) return;
  if (ns != "default") {  // which is also what a document without a namespace reads as
    candidate.problems.push_back({"metadata.namespace",
                                  "found \"" + ns + "\", but the file lies in folder \"" +
                                      shown(folder) + "\", whose tests are in namespace \"" +
                                      expected + "\": leave it out or move the file",
                                  "semantic", 0, 0});
  }
  ns = expected;
}

void take(api::Document document, const std::string& ns, std::string_view folder, Ingested& into) {
  auto& meta = document.test.metadata;
  if (meta.name.empty() || !is_object_name(meta.name)) {
    std::string message = "line " + std::to_string(document.line) + ": LoadTest without a name";
    if (!meta.name.empty()) {
      message = "line " + std::to_string(document.line) + ": metadata.name \"" + shown(meta.name) +
                "\" is no valid name: use lower-case letters, digits, '-' and '.'";
    } else if (!document.problems.empty()) {
      message = first_problem(document);
    }
    into.messages.push_back(std::move(message));
    return;
  }
  Candidate candidate{std::move(document.test), std::move(document.problems), document.line};
  check_namespace(candidate, ns, folder);
  if (!is_dns_label(candidate.test.metadata.ns)) {
    into.messages.push_back("line " + std::to_string(candidate.line) + ": metadata.namespace \"" +
                            shown(candidate.test.metadata.ns) +
                            "\" is no valid name: use lower-case letters, digits and '-'");
    return;
  }
  into.candidates.push_back(std::move(candidate));
}

}  // namespace

Ingested ingest(std::string_view text, std::string_view folder) {
  const auto ns = namespace_of(folder);
  if (!ns) return broken(ns.error().message);
  if (!is_clean_utf8(text)) {
    return broken("line " + std::to_string(first_unclean_line(text)) +
                  ": holds a NUL byte or what is not UTF-8");
  }
  auto documents = api::decode_yaml(text);
  if (documents.empty()) return broken("holds no document; to remove its tests delete the file");
  for (const auto& document : documents) {
    if (ends_the_file(document)) return broken(first_problem(document));
  }
  Ingested result;
  for (auto& document : documents) {
    if (!document.foreign) take(std::move(document), *ns, folder, result);
  }
  return result;
}

}  // namespace atq::stores::directory
