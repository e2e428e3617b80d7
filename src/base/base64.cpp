#include "src/base/base64.hpp"

#include <cstdint>

namespace atq {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) {
      const auto byte = at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U;
      group = group << 8U | byte;
    }
    for (size_t i = 0; i < 4; ++i) {
      out += at + i > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * i) & 63U];
    }
  }
  return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t group = 0;
  size_t signs = 0, padding = 0;
  for (const char sign : text) {
    if (sign == '\n' || sign == '\r' || sign == ' ' || sign == '\t') continue;
    const size_t value = sign == '=' ? 0 : kAlphabet.find(sign);
    if (value == std::string_view::npos || (padding > 0 && sign != '=')) return std::nullopt;
    padding += sign == '=' ? 1 : 0;
    group = group << 6U | static_cast<uint32_t>(value);
    if (++signs % 4 != 0) continue;
    if (padding > 2) return std::nullopt;
    for (size_t i = 0; i + padding < 3; ++i) out += static_cast<char>(group >> (16 - 8 * i) & 255U);
    group = 0;
  }
  if (signs % 4 != 0 || padding > 2) return std::nullopt;
  return out;
}

}  // namespace atq
