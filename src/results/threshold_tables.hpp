#pragma once
// The words of the threshold grammar and which of them go together; for the parser and printer.

#include <array>
#include <string_view>
#include <utility>

#include "src/results/threshold.hpp"

namespace atq::results {

/// What a measured value is, which decides the units a limit may have.
enum class Kind { Time, Count, Rate, Ratio, Score, Bytes, ByteRate, Any };

/// What is recorded of a metric, which decides the aggregates it takes.
enum class Shape { Distribution, Counter, Outcome, Gauge, Load, Volume, Custom };

struct Metric {
  std::string_view name;
  Shape shape;
};

/// Outcomes are counters with a share of a whole: failures of requests, passed of all checks,
/// dropped of all iterations.
inline constexpr std::array kMetrics = std::to_array<Metric>({
    {"latency", Shape::Distribution},
    {"ttfb", Shape::Distribution},
    {"connect", Shape::Distribution},
    {"start_skew", Shape::Distribution},
    {"requests", Shape::Counter},
    {"iterations", Shape::Counter},
    {"workers_lost", Shape::Counter},
    {"failures", Shape::Outcome},
    {"checks", Shape::Outcome},
    {"dropped", Shape::Outcome},
    {"users", Shape::Gauge},
    {"worker_cpu", Shape::Load},
    {"bytes_in", Shape::Volume},
    {"bytes_out", Shape::Volume},
});

inline constexpr std::array kAggregates = std::to_array<std::pair<std::string_view, Aggregate>>({
    {"avg", Aggregate::Avg},
    {"min", Aggregate::Min},
    {"max", Aggregate::Max},
    {"med", Aggregate::Med},
    {"stddev", Aggregate::Stddev},
    {"count", Aggregate::Count},
    {"rate", Aggregate::Rate},
    {"ratio", Aggregate::Ratio},
    {"last", Aggregate::Last},
    {"apdex", Aggregate::Apdex},
});

/// Longer signs before their prefixes.
inline constexpr std::array kComparisons = std::to_array<std::pair<std::string_view, Comparison>>({
    {"<=", Comparison::LessEqual},
    {">=", Comparison::GreaterEqual},
    {"==", Comparison::Equal},
    {"!=", Comparison::NotEqual},
    {"<", Comparison::Less},
    {">", Comparison::Greater},
});

inline constexpr std::array kMatchOps = std::to_array<std::pair<std::string_view, MatchOp>>({
    {"=~", MatchOp::Matches},
    {"!~", MatchOp::NotMatches},
    {"!=", MatchOp::NotEqual},
    {"=", MatchOp::Equal},
});

struct UnitInfo {
  std::string_view text;
  Unit unit;
  Kind kind;
  int64_t factor;  ///< to microseconds, bytes, per minute (rates: 60 /m are 1 /s)
};
inline constexpr std::array kUnits = std::to_array<UnitInfo>({
    {"us", Unit::Microseconds, Kind::Time, 1},
    {"ms", Unit::Milliseconds, Kind::Time, 1'000},
    {"s", Unit::Seconds, Kind::Time, 1'000'000},
    {"m", Unit::Minutes, Kind::Time, 60'000'000},
    {"h", Unit::Hours, Kind::Time, 3'600'000'000},
    {"/s", Unit::PerSecond, Kind::Rate, 60},
    {"/m", Unit::PerMinute, Kind::Rate, 1},
    {"%", Unit::Percent, Kind::Ratio, 1},
    {"B", Unit::Bytes, Kind::Bytes, 1},
    {"kB", Unit::Kilobytes, Kind::Bytes, 1'000},
    {"MB", Unit::Megabytes, Kind::Bytes, 1'000'000},
    {"B/s", Unit::BytesPerSecond, Kind::ByteRate, 1},
    {"kB/s", Unit::KilobytesPerSecond, Kind::ByteRate, 1'000},
    {"MB/s", Unit::MegabytesPerSecond, Kind::ByteRate, 1'000'000},
});

inline constexpr std::array kActions = std::to_array<std::pair<std::string_view, OnViolation>>({
    {"fail", OnViolation::Fail},
    {"abort", OnViolation::Abort},
    {"warn", OnViolation::Warn},
});

/// nullptr for Unit::None.
constexpr const UnitInfo* find_unit(Unit unit) {
  for (const auto& info : kUnits) {
    if (info.unit == unit) return &info;
  }
  return nullptr;
}

/// The text of a value in one of the tables of pairs.
template <class Table, class Value>
constexpr std::string_view name_in(const Table& table, Value value) {
  for (const auto& [name, entry] : table) {
    if (entry == value) return name;
  }
  return {};
}

/// What a pair of aggregate and metric measures; nullopt where it measures nothing.
constexpr std::optional<Kind> measured_kind(Aggregate aggregate, Shape shape) {
  const bool is_count = aggregate == Aggregate::Count;
  const bool is_rate = aggregate == Aggregate::Rate;
  const bool is_ratio = aggregate == Aggregate::Ratio;
  const bool is_apdex = aggregate == Aggregate::Apdex;
  if (is_apdex && (shape == Shape::Distribution || shape == Shape::Custom)) return Kind::Score;
  if (is_apdex) return std::nullopt;
  const bool of_values = !is_count && !is_rate && !is_ratio;
  switch (shape) {
    case Shape::Distribution:
      return is_count ? std::optional(Kind::Count)
                      : (of_values ? std::optional(Kind::Time) : std::nullopt);
    case Shape::Counter:
    case Shape::Outcome:
      if (is_count) return Kind::Count;
      if (is_rate) return Kind::Rate;
      if (is_ratio && shape == Shape::Outcome) return Kind::Ratio;
      return std::nullopt;
    case Shape::Gauge:
      return of_values ? std::optional(Kind::Count) : std::nullopt;
    case Shape::Load:
      return of_values ? std::optional(Kind::Ratio) : std::nullopt;
    case Shape::Volume:
      if (is_count) return Kind::Bytes;
      if (is_rate) return Kind::ByteRate;
      return std::nullopt;
    case Shape::Custom:
      if (is_count) return Kind::Count;
      if (is_rate) return Kind::Rate;
      return is_ratio ? Kind::Ratio : Kind::Any;
  }
  return std::nullopt;
}

}  // namespace atq::results
