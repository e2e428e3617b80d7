// Judging by the totals of a tool's closing statement. Counts and shares are compared as whole
// numbers, so that 7 of 1000 is exactly 0.7%.

#include <charconv>
#include <cmath>

#include "src/results/threshold.hpp"
#include "src/results/threshold_tables.hpp"

namespace atq::results {
namespace {

__extension__ using Wide = __int128;

template <class Value>
bool compare(Value left, Comparison comparison, Value right) {
  switch (comparison) {
    case Comparison::Less:
      return left < right;
    case Comparison::LessEqual:
      return left <= right;
    case Comparison::Greater:
      return left > right;
    case Comparison::GreaterEqual:
      return left >= right;
    case Comparison::Equal:
      return left == right;
    case Comparison::NotEqual:
      return left != right;
  }
  return false;
}

Wide power_of_ten(int exponent) {
  Wide power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

/// Two digits after the point, without trailing zeros, rounded half up: 1 of 204 is "0.49%".
std::string percent_text(int64_t part, int64_t whole) {
  const auto hundredths =
      static_cast<int64_t>((Wide{part} * 10'000 * 2 + whole) / (Wide{whole} * 2));
  Number number{hundredths, 2};
  while (number.scale > 0 && number.digits % 10 == 0) {
    number.digits /= 10;
    --number.scale;
  }
  return to_string(number) + "%";
}

std::optional<double> to_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

std::optional<Judgement> judge_count(const Threshold& threshold, std::optional<int64_t> count) {
  if (!count || *count < 0) return std::nullopt;
  return Judgement{compare(*count, threshold.comparison, threshold.limit.number.digits),
                   std::to_string(*count)};
}

std::optional<Judgement> judge_ratio(const Threshold& threshold, const ClosingTotals& totals) {
  if (!totals.requests || !totals.failures) return std::nullopt;
  const int64_t whole = *totals.requests;
  const int64_t part = *totals.failures;
  if (whole <= 0 || part < 0) return std::nullopt;
  const Number& limit = threshold.limit.number;
  const int percent = threshold.limit.unit == Unit::Percent ? 100 : 1;
  const Wide left = Wide{part} * percent * power_of_ten(limit.scale);
  const Wide right = Wide{limit.digits} * whole;
  return Judgement{compare(left, threshold.comparison, right), percent_text(part, whole)};
}

std::optional<Judgement> judge_rate(const Threshold& threshold, const ClosingTotals& totals) {
  const auto per_second = to_double(totals.requests_per_second);
  if (!per_second) return std::nullopt;
  double limit = static_cast<double>(threshold.limit.number.digits) /
                 static_cast<double>(power_of_ten(threshold.limit.number.scale));
  const bool per_minute = threshold.limit.unit == Unit::PerMinute;
  if (per_minute) limit /= 60;
  return Judgement{compare(*per_second, threshold.comparison, limit),
                   totals.requests_per_second + "/s"};
}

bool is_plain(const Threshold& threshold) {
  return threshold.matchers.empty() && threshold.scope != Scope::Windows && !threshold.after &&
         !threshold.until && threshold.per.empty() && !threshold.limit.baseline;
}

}  // namespace

std::optional<Judgement> evaluate_closing(const Threshold& threshold, const ClosingTotals& totals) {
  if (!is_plain(threshold)) return std::nullopt;
  const std::string_view metric = threshold.metric;
  if (metric == "workers_lost") {
    return threshold.aggregate == Aggregate::Count ? judge_count(threshold, totals.workers_lost)
                                                   : std::nullopt;
  }
  if (threshold.scope == Scope::Steady && !totals.all_steady) return std::nullopt;
  if (threshold.min_samples && totals.requests.value_or(0) < *threshold.min_samples) {
    return std::nullopt;
  }
  if (threshold.aggregate == Aggregate::Count && metric == "requests") {
    return judge_count(threshold, totals.requests);
  }
  if (threshold.aggregate == Aggregate::Count && metric == "failures") {
    return judge_count(threshold, totals.failures);
  }
  if (threshold.aggregate == Aggregate::Ratio && metric == "failures") {
    return judge_ratio(threshold, totals);
  }
  if (threshold.aggregate == Aggregate::Rate && metric == "requests") {
    return judge_rate(threshold, totals);
  }
  return std::nullopt;
}

}  // namespace atq::results
