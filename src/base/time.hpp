#pragma once
// Wall-clock time as the object carries it: microseconds since the epoch, UTC.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace atq {

using Duration = std::chrono::microseconds;
using TimePoint = std::chrono::sys_time<std::chrono::microseconds>;

/// RFC 3339 in UTC with milliseconds: "2026-11-21T05:47:00.123Z" (whole seconds: no fraction).
std::string to_rfc3339(TimePoint time);

/// The same with exactly six digits of fraction, as Kubernetes' MicroTime wants it:
/// "2026-11-21T05:47:00.123456Z".
std::string to_rfc3339_micros(TimePoint time);

/// Reads RFC 3339 with any offset and 0 to 9 digits of fraction; nullopt for anything else.
std::optional<TimePoint> parse_rfc3339(std::string_view text);

/// For people: "850ms", "4.2s", "3m10s", "2h5m". Negative durations read "0s".
std::string to_human(Duration duration);

}  // namespace atq
