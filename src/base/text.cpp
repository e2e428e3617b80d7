#include "src/base/text.hpp"

#include <algorithm>
#include <cctype>

namespace atq {
namespace {

/// Length of the well-formed UTF-8 sequence at the start of `bytes`; 0 where it is ill-formed.
size_t sequence_length(std::string_view bytes) noexcept {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto tail = [&](size_t i) { return i < bytes.size() && (byte(i) & 0xC0U) == 0x80U; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (lead == 0xE0 && byte(1) < 0xA0) return 0;
    if (lead == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xF0 && byte(1) < 0x90) return 0;
    if (lead == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

/// Levenshtein distance, letters compared without case.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = std::tolower(static_cast<unsigned char>(a[i - 1])) ==
                        std::tolower(static_cast<unsigned char>(b[j - 1]));
      const size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (same ? 0U : 1U)});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

}  // namespace

bool is_clean_utf8(std::string_view bytes) noexcept {
  for (size_t i = 0; i < bytes.size();) {
    if (bytes[i] == '\0') return false;
    const size_t length = sequence_length(bytes.substr(i));
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string to_printable(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    const size_t length = sequence_length(bytes.substr(i));
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const bool control =
        length == 1 && lead != '\n' && lead != '\t' && (lead < 0x20 || lead == 0x7F);
    if (length == 0 || control) {
      out += "\xEF\xBF\xBD";
      ++i;
    } else {
      out += bytes.substr(i, length);
      i += length;
    }
  }
  return out;
}

std::string truncate(std::string_view text, size_t limit) {
  static constexpr std::string_view kEllipsis = "\xE2\x80\xA6";
  if (text.size() <= limit) return std::string(text);
  if (limit < kEllipsis.size()) return {};
  size_t end = limit - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + std::string(kEllipsis);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  size_t from = 0;
  for (size_t at = text.find(separator); at != std::string_view::npos;
       at = text.find(separator, from)) {
    parts.emplace_back(text.substr(from, at - from));
    from = at + 1;
  }
  parts.emplace_back(text.substr(from));
  return parts;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (&part != &parts.front()) out += separator;
    out += part;
  }
  return out;
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const auto candidate : candidates) {
    const size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

bool nests_too_deep(std::string_view yaml, size_t limit) noexcept {
  size_t brackets = 0;
  size_t column = 0;
  bool leading = true;  // of this line, only signs that open a level of blocks have been seen
  for (const char sign : yaml) {
    if (sign == '\n') {
      leading = true;
      column = 0;
      continue;
    }
    leading = leading && (sign == ' ' || sign == '-' || sign == '?' || sign == '\t');
    column += leading ? 1 : 0;
    brackets += sign == '[' || sign == '{' ? 1 : 0;
    if (brackets > limit || column > limit) return true;
  }
  return false;
}

}  // namespace atq
