#include "src/base/hash.hpp"

namespace atq {

std::string to_hex(uint64_t value) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; value >>= 4U) text[i] = kDigits[value & 0xfU];
  return text;
}

}  // namespace atq
