#include "src/results/threshold.hpp"

#include <cmath>

#include "src/results/threshold_tables.hpp"

namespace atq::results {
namespace {

std::string_view unit_text(Unit unit) {
  const auto* info = find_unit(unit);
  return info == nullptr ? std::string_view{} : info->text;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string subject_text(const Threshold& threshold) {
  std::string out = threshold.aggregate == Aggregate::Percentile
                        ? "p" + to_string(threshold.percentile)
                        : std::string(name_in(kAggregates, threshold.aggregate));
  out += "(" + threshold.metric;
  if (!threshold.matchers.empty()) {
    std::string_view separator = "{";
    for (const auto& matcher : threshold.matchers) {
      out += separator;
      out += matcher.label;
      out += name_in(kMatchOps, matcher.op);
      out += quoted(matcher.value);
      separator = ",";
    }
    out += "}";
  }
  if (threshold.satisfied) out += ", " + to_string(*threshold.satisfied);
  if (threshold.tolerated) out += ", " + to_string(*threshold.tolerated);
  return out + ")";
}

std::string limit_text(const Limit& limit) {
  if (!limit.baseline) return to_string(limit.number) + std::string(unit_text(limit.unit));
  if (limit.number.digits == 0) return "baseline";
  return std::string("baseline ") + (limit.subtract ? "- " : "+ ") + to_string(limit.number) + "%";
}

}  // namespace

std::string to_string(const Number& number) {
  std::string out = std::to_string(number.digits);
  if (number.scale == 0) return out;
  const auto scale = static_cast<size_t>(number.scale);
  if (out.size() <= scale) out.insert(0, scale + 1 - out.size(), '0');
  return out.insert(out.size() - scale, 1, '.');
}

Duration to_duration(const Span& span) {
  const auto* info = find_unit(span.unit);
  if (info == nullptr) return Duration::zero();
  long double microseconds = static_cast<long double>(span.number.digits);
  for (int i = 0; i < span.number.scale; ++i) microseconds /= 10;
  microseconds *= static_cast<long double>(info->factor);
  static constexpr long double kLongest = 9e18L;
  if (microseconds > kLongest) return Duration::max();
  return Duration(std::llround(microseconds));
}

std::string to_string(const Span& span) {
  return to_string(span.number) + std::string(unit_text(span.unit));
}

std::string to_string(const ThresholdError& error) {
  return "column " + std::to_string(error.column) + ": " + error.message;
}

std::string to_string(const Threshold& threshold) {
  std::string out = subject_text(threshold);
  out += " ";
  out += name_in(kComparisons, threshold.comparison);
  out += " " + limit_text(threshold.limit);
  if (threshold.scope == Scope::Total) out += " over total";
  if (threshold.every) out += " over every " + to_string(*threshold.every);
  if (threshold.for_windows) out += " for " + std::to_string(*threshold.for_windows) + " windows";
  if (threshold.for_time) out += " for " + to_string(*threshold.for_time);
  if (threshold.after) out += " after " + to_string(*threshold.after);
  if (threshold.until) out += " until " + to_string(*threshold.until);
  if (threshold.min_samples) out += " min " + std::to_string(*threshold.min_samples);
  if (!threshold.per.empty()) out += " per " + threshold.per;
  if (threshold.on != OnViolation::Fail) {
    out += " on ";
    out += name_in(kActions, threshold.on);
  }
  return out;
}

}  // namespace atq::results
