#include "controller/core/statement.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>

#include <re2/re2.h>

#include "src/base/text.hpp"

namespace atq::core {
namespace {

RE2::Options quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

/// Calls `line(text)` for each line without its end, also for "\r\n".
template <class Line>
void for_each_line(std::string_view text, Line line) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view one = text.substr(0, end);
    if (!one.empty() && one.back() == '\r') one.remove_suffix(1);
    line(one);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
}

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<double> decimal(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || !std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

std::string one_digit(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f", value);
  return text;
}

/// The groups of one match by their names.
class Matcher {
 public:
  explicit Matcher(const std::string& pattern)
      : expression_(pattern, quiet()),
        groups_(expression_.ok() ? static_cast<size_t>(expression_.NumberOfCapturingGroups()) + 1
                                 : 0) {}

  bool ok() const { return expression_.ok(); }

  bool matches(std::string_view line) {
    return expression_.Match({line.data(), line.size()}, 0, line.size(), RE2::UNANCHORED,
                             groups_.data(), static_cast<int>(groups_.size()));
  }

  std::optional<std::string_view> group(const std::string& name) const {
    const auto& names = expression_.NamedCapturingGroups();
    const auto found = names.find(name);
    if (found == names.end()) return std::nullopt;
    const auto& piece = groups_[static_cast<size_t>(found->second)];
    if (piece.data() == nullptr) return std::nullopt;
    return std::string_view(piece.data(), piece.size());
  }

 private:
  RE2 expression_;
  std::vector<re2::StringPiece> groups_;
};

}  // namespace

std::optional<Statement> read_statement(std::string_view output, const std::string& pattern) {
  std::optional<Statement> last;
  if (pattern.empty()) return last;
  Matcher matcher(pattern);
  if (!matcher.ok()) return last;
  for_each_line(output, [&](std::string_view line) {
    if (!matcher.matches(line)) return;
    const auto requests = whole_number(matcher.group("requests").value_or(""));
    const auto failures = whole_number(matcher.group("failures").value_or("0"));
    if (!requests || !failures) return;
    Statement found{.requests = *requests, .failures = *failures};
    if (const auto rps = matcher.group("rps"); rps && decimal(*rps)) {
      found.requests_per_second = std::string(*rps);
    }
    last = found;
  });
  return last;
}

std::optional<Statement> sum(const std::vector<Statement>& statements) {
  if (statements.empty()) return std::nullopt;
  Statement total;
  double rps = 0;
  bool stated = true;
  for (const auto& one : statements) {
    total.requests += one.requests;
    total.failures += one.failures;
    const auto rate = decimal(one.requests_per_second);
    stated = stated && rate.has_value();
    rps += rate.value_or(0);
  }
  if (statements.size() == 1) {
    total.requests_per_second = statements.front().requests_per_second;
  } else if (stated) {
    total.requests_per_second = one_digit(rps);
  }
  return total;
}

std::string diagnose(std::string_view output, const std::vector<api::Diagnosis>& diagnoses) {
  for (const auto& diagnosis : diagnoses) {
    const RE2 expression(diagnosis.pattern, quiet());
    if (!expression.ok()) continue;
    std::string message;
    for_each_line(output, [&](std::string_view line) {
      const re2::StringPiece text(line.data(), line.size());
      if (!message.empty() || !RE2::PartialMatch(text, expression)) return;
      if (!RE2::Extract(text, expression, diagnosis.message, &message)) {
        message = diagnosis.message;
      }
    });
    if (!message.empty()) return truncate(to_printable(message), 300);
  }
  return {};
}

}  // namespace atq::core
