#pragma once
// Replaces or takes out one document of a YAML stream and leaves the bytes of the others. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace atq::stores::directory {

/// `text` with the document that starts in or before line `line` (1-based; as api::Document::line)
/// replaced by `document`, or taken out where that is empty. nullopt where nothing but blank lines
/// and separators would be left: the file can go.
std::optional<std::string> splice(std::string_view text, int line, std::string_view document);

}  // namespace atq::stores::directory
