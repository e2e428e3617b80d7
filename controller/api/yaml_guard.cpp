#include "controller/api/yaml_guard.hpp"

#include <algorithm>
#include <optional>

#include "src/base/text.hpp"

namespace atq::api {
namespace {

Problem refuse(std::string_view text, size_t offset, std::string message) {
  const std::string_view before = text.substr(0, offset);
  const size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return {"", std::move(message), "syntax",
          static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - start) + 1};
}

std::optional<Problem> check_sizes(std::string_view text, const Limits& limits) {
  const auto too_large = [&](size_t size, size_t limit, size_t offset, std::string_view what) {
    return refuse(text, offset,
                  "found " + std::to_string(size) + " bytes in one " + std::string(what) +
                      ", expected at most " + std::to_string(limit) +
                      "; keep large files beside it and name them with `path`");
  };
  if (text.size() > kMaxStreamFactor * limits.max_bytes) {
    return too_large(text.size(), kMaxStreamFactor * limits.max_bytes, 0, "stream");
  }
  if (text.size() <= limits.max_bytes) return std::nullopt;
  size_t start = 0;
  while (start < text.size()) {
    const size_t next = text.find("\n---", start);
    const size_t end = next == std::string_view::npos ? text.size() : next + 1;
    if (end - start > limits.max_bytes) {
      return too_large(end - start, limits.max_bytes, start, "document");
    }
    if (next == std::string_view::npos) break;
    start = end;
  }
  return std::nullopt;
}

std::string hex(unsigned char byte) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  return {'0', 'x', kHex[byte >> 4], kHex[byte & 15]};
}

std::optional<Problem> check_signs(std::string_view text) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return refuse(text, 0, "found UTF-16, expected UTF-8; save the file as UTF-8");
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r') || byte == 0x7F) {
      return refuse(text, i,
                    byte == 0 ? "found a NUL sign, expected text; is this a binary file?"
                              : "found the control sign " + hex(byte) + ", expected text");
    }
  }
  if (is_clean_utf8(text)) return std::nullopt;
  // The first line that is ill-formed; only for the message.
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find('\n', start), text.size());
    if (!is_clean_utf8(text.substr(start, end - start))) break;
    start = end + 1;
  }
  return refuse(text, std::min(start, text.size()),
                "found bytes that are not UTF-8, expected UTF-8; save the file as UTF-8");
}

/// "key: |", "- >2-  # comment": the deeper lines below are plain text.
bool starts_block_scalar(std::string_view line, size_t indent) {
  if (indent < line.size() && line[indent] == '#') return false;
  const size_t mark = line.find_last_of("|>");
  if (mark == std::string_view::npos || mark == 0 || line[mark - 1] != ' ') return false;
  const std::string_view rest = line.substr(mark + 1);
  const size_t end = rest.find_first_not_of("+-0123456789");
  return end == std::string_view::npos ||
         rest.find_first_not_of(" \t\r", end) == std::string_view::npos ||
         rest[rest.find_first_not_of(" \t\r", end)] == '#';
}

/// yaml-cpp queues a token for each bracket that is open, before anything can stop it. Counts
/// brackets outside block scalars without regard to quotes: ample for real documents.
std::optional<Problem> check_brackets(std::string_view text) {
  constexpr size_t kMaxOpen = 1000;
  size_t open = 0;
  std::optional<size_t> block_indent;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = text.substr(start, end - start);
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    const bool blank = indent == line.size();
    if (block_indent && !blank && indent <= *block_indent) block_indent.reset();
    for (size_t i = indent; i < line.size() && !block_indent; ++i) {
      if (line[i] == '[' || line[i] == '{') ++open;
      if ((line[i] == ']' || line[i] == '}') && open > 0) --open;
      if (open > kMaxOpen) {
        return refuse(text, start + i,
                      "found more than " + std::to_string(kMaxOpen) +
                          " brackets without their ends, expected fewer");
      }
    }
    if (!block_indent && open == 0 && starts_block_scalar(line, indent)) block_indent = indent;
    start = end + 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Problem> guard_yaml(std::string_view text, const Limits& limits) {
  if (auto problem = check_sizes(text, limits)) return problem;
  if (auto problem = check_signs(text)) return problem;
  return check_brackets(text);
}

}  // namespace atq::api
