#include "controller/api/yaml_scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

template <size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// Words that are no strings; nullopt for all others.
std::optional<json> resolve_word(std::string_view text) {
  static constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
  static constexpr std::array<std::string_view, 11> kTrue = {
      "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
  static constexpr std::array<std::string_view, 11> kFalse = {
      "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  if (text.size() > 5) return std::nullopt;
  if (is_one_of(text, kTrue)) return json(true);
  if (is_one_of(text, kFalse)) return json(false);
  if (is_one_of(text, kNull)) return json(nullptr);
  return std::nullopt;
}

bool is_infinite(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kWords = {".inf",  ".Inf",  ".INF",  "+.inf",
                                                              "+.Inf", "+.INF", "-.inf", "-.Inf",
                                                              "-.INF", ".nan",  ".NaN",  ".NAN"};
  return is_one_of(text, kWords);
}

/// Go's strconv.ParseInt with base 0: 0x, 0b, 0o and a leading 0 give the base.
std::optional<json> resolve_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  constexpr uint64_t kTop = uint64_t{1} << 63;
  if (!negative) return value < kTop ? json(static_cast<int64_t>(value)) : json(value);
  if (value > kTop) return std::nullopt;
  return json(static_cast<int64_t>(~value + 1));
}

/// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool has_float_form(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t from = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - from;
  };
  const auto sign = [&] { at += at < text.size() && (text[at] == '-' || text[at] == '+'); };
  sign();
  const size_t whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] | 0x20) == 'e') {
    ++at;
    sign();
    if (digits() == 0) return false;
  }
  return at == text.size();
}

std::optional<json> resolve_float(std::string_view text) {
  if (!has_float_form(text)) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    // Too small is nothing, too large is a text.
    const size_t exponent = text.find_first_of("eE");
    const bool small = exponent != std::string_view::npos && text[exponent + 1] == '-';
    return small ? std::optional<json>(0) : std::nullopt;
  }
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number_of(value);
}

std::optional<json> resolve_number(std::string_view text) {
  if (text[0] == '.') return resolve_float(text);
  std::string plain(text);
  std::erase(plain, '_');
  if (auto integer = resolve_integer(plain)) return integer;
  return resolve_float(plain);
}

std::optional<std::string> from_base64(std::string_view text) {
  static constexpr std::string_view kSigns =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  while (text.ends_with('=') || text.ends_with('\n')) text.remove_suffix(1);
  for (const char sign : text) {
    if (sign == '\n' || sign == '\r' || sign == ' ') continue;
    const size_t value = kSigns.find(sign);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xff);
    }
  }
  return out;
}

std::unexpected<Error> wrong_tag(std::string_view tag, std::string_view text) {
  return fail(ErrorKind::Invalid, "found \"" + truncate(text, 60) + "\" under !!" +
                                      std::string(tag) + ", expected a value of that type");
}

}  // namespace

json number_of(double value) {
  if (value == std::floor(value)) {
    if (value > -0x1p63 && value < 0x1p63) return static_cast<int64_t>(value);
    if (value > 0 && value < 0x1p64) return static_cast<uint64_t>(value);
  }
  return value;
}

Result<json> resolve_plain(std::string_view text) {
  static constexpr std::string_view kWordStarts = "yYnNtTfFoO~";
  static constexpr std::string_view kNumberStarts = "0123456789+-.";
  if (text.empty() || kWordStarts.find(text[0]) != std::string_view::npos) {
    if (auto word = resolve_word(text)) return *std::move(word);
    return json(text);
  }
  if (kNumberStarts.find(text[0]) == std::string_view::npos) return json(text);
  if (is_infinite(text)) {
    return fail(ErrorKind::Invalid, "found " + std::string(text) +
                                        ", which JSON cannot hold; expected a finite number");
  }
  if (auto number = resolve_number(text)) return *std::move(number);
  return json(text);
}

Result<json> resolve_tagged(std::string_view tag, const std::string& text) {
  if (!tag.starts_with(kTagPrefix)) return json(text);
  tag.remove_prefix(kTagPrefix.size());
  if (tag == "binary") {
    auto bytes = from_base64(text);
    if (!bytes || !is_clean_utf8(*bytes)) return wrong_tag(tag, text);
    return json(*std::move(bytes));
  }
  if (tag != "int" && tag != "float" && tag != "bool" && tag != "null") return json(text);
  auto value = resolve_plain(text);
  if (!value) return value;
  const bool fits = tag == "int"     ? value->is_number_integer()
                    : tag == "float" ? value->is_number()
                    : tag == "bool"  ? value->is_boolean()
                                     : value->is_null();
  if (!fits) return wrong_tag(tag, text);
  return value;
}

Result<std::string> key_of_scalar(const json& value) {
  switch (value.type()) {
    case json::value_t::string:
      return value.get<std::string>();
    case json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return value.dump();
    case json::value_t::number_float: {
      char digits[32];  // single precision, as the library prints keys
      const auto end =
          std::to_chars(digits, digits + sizeof digits, static_cast<float>(value.get<double>()))
              .ptr;
      return std::string(digits, end);
    }
    default:
      break;
  }
  return fail(ErrorKind::Invalid, std::string("found a key that is ") + value.type_name() +
                                      ", expected a name; quote it if it is one");
}

}  // namespace atq::api
