#pragma once
// What must be known of a YAML text before yaml-cpp may see it. Internal to api.

#include <optional>
#include <string_view>

#include "controller/api/codec.hpp"

namespace atq::api {

/// A whole stream may hold this many times Limits::max_bytes.
inline constexpr size_t kMaxStreamFactor = 16;

/// The first reason to refuse the text: too large, not UTF-8, NUL or other control signs, nested
/// too deep for the parser. One pass, no memory of its own.
std::optional<Problem> guard_yaml(std::string_view text, const Limits& limits);

}  // namespace atq::api
