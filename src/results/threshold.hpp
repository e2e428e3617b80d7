#pragma once
// Thresholds: the pass criteria of a run, e.g. `ratio(failures{label="POST /pay"}) <= 1% over every
// 10s for 3 windows after 1m on abort`. The grammar, with the meaning of each part, is in
// docs/thresholds.md. Pure: text to a typed tree and back, and what the closing statement of a
// tool says of it.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/time.hpp"

namespace atq::results {

/// An exact decimal number, digits / 10^scale, without trailing zeros: 0.5 is {5, 1}.
struct Number {
  int64_t digits = 0;  ///< at most 15 digits, never negative
  int scale = 0;       ///< 0..9
  bool operator==(const Number&) const = default;
};
std::string to_string(const Number& number);

enum class Aggregate { Percentile, Avg, Min, Max, Med, Stddev, Count, Rate, Ratio, Last, Apdex };
enum class Comparison { Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual };
enum class MatchOp { Equal, NotEqual, Matches, NotMatches };  ///< = != =~ !~ (RE2)

enum class Unit {
  None,  ///< a count, or a ratio or Apdex score from 0 to 1
  Percent,
  Microseconds,
  Milliseconds,
  Seconds,
  Minutes,
  Hours,
  PerSecond,
  PerMinute,
  Bytes,
  Kilobytes,
  Megabytes,
  BytesPerSecond,
  KilobytesPerSecond,
  MegabytesPerSecond
};

/// A time as it was written, e.g. {{15, 1}, Unit::Seconds} for 1.5s.
struct Span {
  Number number;
  Unit unit = Unit::Seconds;  ///< a unit of time
  bool operator==(const Span&) const = default;
};
Duration to_duration(const Span& span);
std::string to_string(const Span& span);

struct Matcher {
  std::string label;
  MatchOp op = MatchOp::Equal;
  std::string value;
  bool operator==(const Matcher&) const = default;
};

struct Limit {
  Number number;           ///< with `baseline`: the percent to add, 0 for none
  Unit unit = Unit::None;  ///< with `baseline`: None
  bool baseline = false;   ///< against the results of another run
  bool subtract = false;   ///< baseline - number %
  bool operator==(const Limit&) const = default;
};

enum class Scope { Steady, Total, Windows };
enum class OnViolation { Fail, Abort, Warn };

/// One parsed threshold. Every clause that was not written has its default.
struct Threshold {
  Aggregate aggregate = Aggregate::Avg;
  Number percentile;   ///< of Aggregate::Percentile, above 0 and below 100
  std::string metric;  ///< a known one or a tool's own
  std::vector<Matcher> matchers;
  std::optional<Span> satisfied, tolerated;  ///< apdex(metric, satisfied[, tolerated])
  Comparison comparison = Comparison::Less;
  Limit limit;
  Scope scope = Scope::Steady;
  std::optional<Span> every;           ///< length of a window, with Scope::Windows
  std::optional<int64_t> for_windows;  ///< consecutive violating windows needed
  std::optional<Span> for_time;        ///< the same as a time
  std::optional<Span> after, until;    ///< run time
  std::optional<int64_t> min_samples;  ///< fewer: no data
  std::string per;                     ///< one verdict for each value of this label
  OnViolation on = OnViolation::Fail;
  bool operator==(const Threshold&) const = default;
};

/// What is wrong with an expression. `column` counts characters (code points) from 1; one past the
/// end where something is missing there.
struct ThresholdError {
  size_t column = 1;
  std::string message;  ///< "found "500", expected a time with its unit, such as 500ms"
  bool operator==(const ThresholdError&) const = default;
};
/// "column 16: found …"
std::string to_string(const ThresholdError& error);

/// Longest expression that is read, in bytes.
inline constexpr size_t kMaxThresholdBytes = 1024;

std::expected<Threshold, ThresholdError> parse_threshold(std::string_view text);

/// The canonical text: one space between words, clauses in the grammar's order, defaults left out.
/// parse_threshold(to_string(x)) gives x.
std::string to_string(const Threshold& threshold);

/// The totals of a whole run, as a load tool's closing statement has them; unset: not stated.
struct ClosingTotals {
  std::optional<int64_t> requests, failures;
  std::string requests_per_second;  ///< decimal, e.g. "1535.9"; "" = not stated
  std::optional<int64_t> workers_lost;
  bool all_steady = true;  ///< the load has neither warm-up nor ramp-down, so `steady` is `total`
};

struct Judgement {
  bool holds = false;
  std::string value;  ///< the measured value for people: "204", "0.49%", "1535.9/s"
  bool operator==(const Judgement&) const = default;
};

/// Judges by the totals alone: count(requests), count(failures), ratio(failures), rate(requests)
/// and count(workers_lost), without matchers, windows, `after`, `until`, `per` and baseline.
/// nullopt, which means no data, for everything else, for fewer samples than `min`, and for
/// `over steady` where the totals hold more than the steady part.
std::optional<Judgement> evaluate_closing(const Threshold& threshold, const ClosingTotals& totals);

}  // namespace atq::results
