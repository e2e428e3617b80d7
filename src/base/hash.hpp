#pragma once
// Stable hashes for names and change detection. Not for security.

#include <cstdint>
#include <string>
#include <string_view>

namespace atq {

/// FNV-1a, 64 bit: the same on every machine and in every release, as names depend on it.
/// http://www.isthe.com/chongo/tech/comp/fnv/
constexpr uint64_t fnv1a(std::string_view bytes) noexcept {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

/// 16 lower-case hex digits.
std::string to_hex(uint64_t value);

}  // namespace atq
