#include "src/stores/directory/splice.hpp"

#include <algorithm>
#include <vector>

namespace atq::stores::directory {
namespace {

/// A line that starts a new document, wherever it stands (YAML 1.2, 9.1.2).
bool is_separator(std::string_view line) {
  return line.starts_with("---") &&
         (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

struct Part {
  std::string_view separator;  ///< the line that opens it; "" for the first
  std::string_view body;
  int first_line = 1;  ///< of the body
};

std::vector<Part> parts_of(std::string_view text) {
  std::vector<Part> parts{{}};
  size_t body = 0;
  int line = 1;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const size_t next = std::min(end + 1, text.size());
    if (is_separator(text.substr(at, end - at))) {
      parts.back().body = text.substr(body, at - body);
      parts.push_back({text.substr(at, next - at), {}, line});
      body = next;
    }
    at = next;
  }
  parts.back().body = text.substr(body);
  return parts;
}

}  // namespace

std::optional<std::string> splice(std::string_view text, int line, std::string_view document) {
  const auto parts = parts_of(text);
  size_t chosen = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].first_line <= line) chosen = i;
  }
  std::string out;
  bool any = false;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto& part = parts[i];
    if (i == chosen && document.empty()) continue;
    const std::string_view body = i == chosen ? document : part.body;
    if (is_blank(body)) continue;
    if (any || (i > 0 && !part.separator.empty())) out += "---\n";
    out += body;
    if (!out.ends_with('\n')) out += '\n';
    any = true;
  }
  if (!any) return std::nullopt;
  return out;
}

}  // namespace atq::stores::directory
