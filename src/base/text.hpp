#pragma once
// Small text helpers that the standard library lacks.

#include <string>
#include <string_view>
#include <vector>

namespace atq {

/// True for well-formed UTF-8 without NUL (RFC 3629: no surrogates, no overlong forms).
bool is_clean_utf8(std::string_view bytes) noexcept;

/// The bytes with ill-formed sequences and control signs (but tab and line feed) replaced by
/// U+FFFD, for showing foreign output.
std::string to_printable(std::string_view bytes);

/// At most `limit` bytes, cut at a UTF-8 boundary with "…" in place of what is missing.
std::string truncate(std::string_view text, size_t limit);

/// Parts between separators; an empty text gives no part.
std::vector<std::string> split(std::string_view text, char separator);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// Of `candidates` the one that `word` was probably meant to be (small edit distance, case aside);
/// empty where none is near.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

/// True where a YAML or JSON text may nest deeper than a recursive parser (yaml-cpp) should follow:
/// more than `limit` brackets in all, or a line that starts beyond `limit` columns. One pass.
bool nests_too_deep(std::string_view yaml, size_t limit) noexcept;

}  // namespace atq
