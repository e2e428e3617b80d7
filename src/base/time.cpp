#include "src/base/time.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace atq {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// The number in text[from, from + count), all digits; -1 where it is none.
int digits_at(std::string_view text, size_t from, size_t count) {
  if (from + count > text.size()) return -1;
  int value = 0;
  for (size_t i = from; i < from + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

struct Fraction {
  microseconds value{0};
  size_t next = 0;  ///< where the text goes on
};

std::optional<Fraction> parse_fraction(std::string_view text, size_t at) {
  if (at >= text.size() || text[at] != '.') return Fraction{microseconds{0}, at};
  size_t end = at + 1;
  int64_t value = 0;
  int64_t scale = 1'000'000;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') {
    scale /= 10;
    value += (text[end] - '0') * scale;
    ++end;
  }
  if (end == at + 1 || end - at > 10) return std::nullopt;
  return Fraction{microseconds{value}, end};
}

std::optional<minutes> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return minutes{0};
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int hour = digits_at(text, 1, 2);
  const int minute = digits_at(text, 4, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
  const minutes offset = hours{hour} + minutes{minute};
  return text[0] == '-' ? -offset : offset;
}

}  // namespace

std::string to_rfc3339(TimePoint time) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::milliseconds>(time - day)};
  std::array<char, 48> text{};
  const int year = static_cast<int>(date.year());
  const auto month = static_cast<unsigned>(date.month());
  const auto dom = static_cast<unsigned>(date.day());
  const auto hour = static_cast<int>(clock.hours().count());
  const auto minute = static_cast<int>(clock.minutes().count());
  const auto second = static_cast<int>(clock.seconds().count());
  const auto milli = static_cast<int>(clock.subseconds().count());
  int length = 0;
  if (milli == 0) {
    length = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", year, month,
                           dom, hour, minute, second);
  } else {
    length = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", year,
                           month, dom, hour, minute, second, milli);
  }
  return {text.data(), static_cast<size_t>(length)};
}

std::string to_rfc3339_micros(TimePoint time) {
  const auto whole = std::chrono::floor<seconds>(time);
  const std::string fraction = std::to_string(1'000'000 + (time - whole).count());
  std::string text = to_rfc3339(whole);
  text.pop_back();
  return text + "." + fraction.substr(1) + "Z";
}

std::optional<TimePoint> parse_rfc3339(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return std::nullopt;
  const int hour = digits_at(text, 11, 2);
  const int minute = digits_at(text, 14, 2);
  const int second = digits_at(text, 17, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
    return std::nullopt;
  }
  const int year = digits_at(text, 0, 4);
  const int month = digits_at(text, 5, 2);
  const int dom = digits_at(text, 8, 2);
  if (year < 0 || month < 0 || dom < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(dom)}};
  if (!date.ok()) return std::nullopt;
  const auto fraction = parse_fraction(text, 19);
  if (!fraction) return std::nullopt;
  const auto offset = parse_offset(text.substr(fraction->next));
  if (!offset) return std::nullopt;
  return std::chrono::sys_days{date} + hours{hour} + minutes{minute} + seconds{second} +
         fraction->value - *offset;
}

std::string to_human(Duration duration) {
  const int64_t us = duration.count() < 0 ? 0 : duration.count();
  std::array<char, 48> text{};
  int length = 0;
  if (us == 0) return "0s";
  if (us < 1'000) {
    length = std::snprintf(text.data(), text.size(), "%dus", static_cast<int>(us));
  } else if (us < 1'000'000) {
    length = std::snprintf(text.data(), text.size(), "%dms", static_cast<int>(us / 1'000));
  } else if (us < 60'000'000) {
    const auto tenths = static_cast<int>(us / 100'000);
    if (tenths % 10 == 0) {
      length = std::snprintf(text.data(), text.size(), "%ds", tenths / 10);
    } else {
      length = std::snprintf(text.data(), text.size(), "%d.%ds", tenths / 10, tenths % 10);
    }
  } else {
    const int64_t total = us / 1'000'000;
    const auto hour = static_cast<long>(total / 3'600);
    const auto minute = static_cast<int>(total / 60 % 60);
    const auto second = static_cast<int>(total % 60);
    if (hour > 0) {
      length = std::snprintf(text.data(), text.size(), "%ldh%dm", hour, minute);
    } else if (second == 0) {
      length = std::snprintf(text.data(), text.size(), "%dm", minute);
    } else {
      length = std::snprintf(text.data(), text.size(), "%dm%ds", minute, second);
    }
  }
  return {text.data(), static_cast<size_t>(length)};
}

}  // namespace atq
