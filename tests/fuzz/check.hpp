#pragma once
// What a fuzz target does when a promise is broken, in builds without assertions too.

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace atq::fuzz {

inline void check(bool holds, std::string_view promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

inline std::string_view text_of(const unsigned char* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace atq::fuzz
