#include "controller/api/quantity.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace atq::api {
namespace {

constexpr std::array kSuffixes = std::to_array<std::pair<std::string_view, double>>({
    {"", 1},
    {"n", 1e-9},
    {"u", 1e-6},
    {"m", 1e-3},
    {"k", 1e3},
    {"M", 1e6},
    {"G", 1e9},
    {"T", 1e12},
    {"P", 1e15},
    {"E", 1e18},
    {"Ki", 0x1p10},
    {"Mi", 0x1p20},
    {"Gi", 0x1p30},
    {"Ti", 0x1p40},
    {"Pi", 0x1p50},
    {"Ei", 0x1p60},
});

}  // namespace

std::optional<double> parse_quantity(std::string_view text) {
  const bool starts_with_digit = !text.empty() && text[0] >= '0' && text[0] <= '9';
  if (!starts_with_digit) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  const auto suffix = text.substr(static_cast<size_t>(end - text.data()));
  for (const auto& [name, factor] : kSuffixes) {
    if (name == suffix) return value * factor;
  }
  return std::nullopt;
}

}  // namespace atq::api
