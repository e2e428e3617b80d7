// Recursive descent over the text; every complaint carries the place it is about.

#include <algorithm>
#include <vector>

#include "src/base/text.hpp"
#include "src/results/threshold.hpp"
#include "src/results/threshold_tables.hpp"

namespace atq::results {
namespace {

constexpr size_t kMaxMatchers = 8;
constexpr size_t kMaxDigits = 15;
constexpr int kMaxScale = 9;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

std::string_view expected_limit(Kind kind) {
  switch (kind) {
    case Kind::Time:
      return "a time with its unit, such as 500ms or 1.5s";
    case Kind::Count:
      return "a whole number";
    case Kind::Rate:
      return "a rate with its unit, such as 900/s or 60/m";
    case Kind::Ratio:
      return "a share, such as 1% or 0.01";
    case Kind::Score:
      return "a score from 0 to 1, such as 0.9";
    case Kind::Bytes:
      return "a size with its unit, such as 10MB";
    case Kind::ByteRate:
      return "a rate with its unit, such as 5MB/s";
    case Kind::Any:
      return "a number, with a unit where it has one";
  }
  return {};
}

template <class Table>
std::string names_of(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(std::get<0>(entry));
  return join(names, ", ");
}

/// Thrown inside this file only, as a parse may end at any depth; parse_threshold catches it.
struct Failure {
  size_t at;
  std::string message;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Threshold parse() {
    skip_space();
    if (at_end()) fail(at_, "found nothing, expected a threshold such as p95(latency) < 500ms");
    const size_t start = at_;
    parse_aggregate();
    expect_sign('(', "after the aggregate");
    const Shape shape = parse_metric();
    kind_ = kind_of(start, shape);
    parse_apdex_times();
    expect_sign(')', "after the metric");
    parse_comparison();
    parse_limit();
    while (skip_space(), !at_end()) parse_clause();
    check_clauses();
    return std::move(out_);
  }

 private:
  [[noreturn]] static void fail(size_t at, std::string message) {
    throw Failure{at, std::move(message)};
  }
  bool at_end() const { return at_ >= text_.size(); }
  void skip_space() {
    while (!at_end() && is_space(text_[at_])) ++at_;
  }
  bool take(std::string_view sign) {
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }

  /// The next token for a message: a word or number with what sticks to it, else one character.
  std::string found() const {
    if (at_end()) return "found the end";
    size_t end = at_;
    const auto sticks = [](char c) { return is_word(c) || c == '.' || c == '%' || c == '/'; };
    while (end < text_.size() && sticks(text_[end])) ++end;
    if (end == at_) ++end;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0U) == 0x80U) ++end;
    return "found \"" + truncate(text_.substr(at_, end - at_), 40) + "\"";
  }
  [[noreturn]] void fail_found(std::string_view expected) const {
    fail(at_, found() + ", expected " + std::string(expected));
  }
  void expect_sign(char sign, std::string_view where) {
    skip_space();
    if (!take({&sign, 1})) fail_found(std::string(1, sign) + " " + std::string(where));
  }

  std::string_view read_word() {
    skip_space();
    const size_t from = at_;
    while (!at_end() && is_word(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
  }
  /// A name: a letter or _, then letters, digits, _, and single dots between.
  std::string_view read_name() {
    skip_space();
    const size_t from = at_;
    if (at_end() || is_digit(text_[at_])) return {};
    while (!at_end() && (is_word(text_[at_]) || (text_[at_] == '.' && at_ > from))) ++at_;
    return text_.substr(from, at_ - from);
  }

  /// nullopt where no digit stands.
  std::optional<Number> read_number() {
    skip_space();
    const size_t from = at_;
    Number number;
    size_t significant = 0;
    bool point = false;
    for (; !at_end(); ++at_) {
      const char c = text_[at_];
      if (c == '.' && !point && at_ > from && at_ + 1 < text_.size() && is_digit(text_[at_ + 1])) {
        point = true;
        continue;
      }
      if (!is_digit(c)) break;
      if (number.digits != 0 || c != '0') ++significant;
      if (point) ++number.scale;
      if (significant > kMaxDigits || number.scale > kMaxScale) {
        fail(from,
             "found a number with too many digits, expected at most 15 digits, 9 of them "
             "after the point");
      }
      number.digits = number.digits * 10 + (c - '0');
    }
    if (at_ == from) return std::nullopt;
    while (number.scale > 0 && number.digits % 10 == 0) {
      number.digits /= 10;
      --number.scale;
    }
    return number;
  }

  /// The unit that stands here as a whole token; Unit::None and nothing read where there is none.
  Unit read_unit() {
    const size_t from = at_;
    while (!at_end() && (is_letter(text_[at_]) || text_[at_] == '/' || text_[at_] == '%')) ++at_;
    const auto token = text_.substr(from, at_ - from);
    if (token.empty()) return Unit::None;
    for (const auto& info : kUnits) {
      if (info.text == token) return info.unit;
    }
    fail(from, "found unit \"" + truncate(token, 20) +
                   "\", expected us, ms, s, m, h, /s, /m, %, B, kB, MB, B/s, kB/s or MB/s");
  }

  Span read_span(std::string_view what) {
    skip_space();
    const size_t from = at_;
    const auto expected = std::string(what) + ", such as 10s or 1m";
    const auto number = read_number();
    if (!number) fail_found(expected);
    const Unit unit = read_unit();
    const auto* info = find_unit(unit);
    if (info == nullptr || info->kind != Kind::Time) {
      at_ = from;
      fail_found(expected);
    }
    const Span span{*number, unit};
    if (to_duration(span) <= Duration::zero() || to_duration(span) > std::chrono::hours(24 * 366)) {
      at_ = from;
      fail_found(std::string(what) + " above 0 and below a year");
    }
    return span;
  }

  int64_t read_count(std::string_view what) {
    skip_space();
    const size_t from = at_;
    const auto number = read_number();
    if (!number || number->scale != 0 || number->digits < 1) {
      at_ = from;
      fail_found(what);
    }
    return number->digits;
  }

  std::string read_string() {
    skip_space();
    const size_t from = at_;
    if (!take("\"")) fail_found("a text in double quotes");
    std::string value;
    while (!at_end()) {
      const char c = text_[at_++];
      if (c == '"') return value;
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
        fail(at_ - 1, "found a control character in a text, expected printable ones");
      }
      if (c != '\\') {
        value += c;
        continue;
      }
      if (at_end()) break;
      const char escaped = text_[at_++];
      if (escaped != '"' && escaped != '\\') {
        fail(at_ - 2,
             "found an unknown escape in a text, expected \\\" or \\\\ (a backslash is "
             "written \\\\)");
      }
      value += escaped;
    }
    fail(from, "found a text that does not end, expected a closing double quote");
  }

  void parse_aggregate() {
    const size_t from = at_;
    const auto word = read_name();
    if (word.size() > 1 && word[0] == 'p' && is_digit(word[1])) {
      at_ = from + 1;
      const auto number = read_number();
      const bool in_range = number && number->digits > 0 && below_hundred(*number);
      if (!in_range || at_ != from + word.size()) {
        at_ = from;
        fail_found("a percentile above p0 and below p100, such as p95 or p99.9");
      }
      out_.aggregate = Aggregate::Percentile;
      out_.percentile = *number;
      return;
    }
    for (const auto& [name, aggregate] : kAggregates) {
      if (name != word) continue;
      out_.aggregate = aggregate;
      return;
    }
    at_ = from;
    fail_found("an aggregate: p50 to p99.999, " + names_of(kAggregates));
  }
  static bool below_hundred(Number number) {
    for (int i = 0; i < number.scale; ++i) number.digits /= 10;
    return number.digits < 100;
  }

  Shape parse_metric() {
    skip_space();
    const size_t from = at_;
    const auto name = read_name();
    std::vector<std::string_view> known;
    for (const auto& metric : kMetrics) known.push_back(metric.name);
    if (name.empty()) {
      fail_found("a metric: " + join({known.begin(), known.end()}, ", ") +
                 " or one of the tool's own");
    }
    out_.metric = name;
    Shape shape = Shape::Custom;
    const auto* metric = std::ranges::find(kMetrics, name, &Metric::name);
    if (metric != kMetrics.end()) {
      shape = metric->shape;
    } else if (const auto meant = nearest(name, known); !meant.empty()) {
      at_ = from;
      fail_found("a metric; did you mean " + std::string(meant) + "?");
    }
    skip_space();
    if (take("{")) parse_matchers();
    return shape;
  }

  void parse_matchers() {
    do {
      skip_space();
      if (out_.matchers.size() == kMaxMatchers) fail_found("at most 8 matchers");
      Matcher matcher;
      matcher.label = read_name();
      if (matcher.label.empty()) fail_found("the name of a label, such as label=\"POST /pay\"");
      skip_space();
      const auto* op =
          std::ranges::find_if(kMatchOps, [&](const auto& entry) { return take(entry.first); });
      if (op == kMatchOps.end()) fail_found("=, !=, =~ or !~ after the name of a label");
      matcher.op = op->second;
      matcher.value = read_string();
      out_.matchers.push_back(std::move(matcher));
      skip_space();
    } while (take(","));
    if (!take("}")) fail_found(", or } after a matcher");
  }

  Kind kind_of(size_t start, Shape shape) const {
    if (const auto kind = measured_kind(out_.aggregate, shape)) return *kind;
    std::vector<std::string> fitting;
    for (const auto& [name, aggregate] : kAggregates) {
      if (measured_kind(aggregate, shape)) fitting.emplace_back(name);
    }
    if (measured_kind(Aggregate::Percentile, shape)) fitting.insert(fitting.begin(), "p95");
    const auto end = text_.find('(', start);
    fail(start, "found " + std::string(text_.substr(start, end - start)) + " of " + out_.metric +
                    ", expected one of " + join(fitting, ", ") + " for this metric");
  }

  void parse_apdex_times() {
    if (out_.aggregate != Aggregate::Apdex) return;
    expect_sign(',', "and the satisfying time, such as apdex(latency, 500ms)");
    out_.satisfied = read_span("the satisfying time");
    skip_space();
    if (!take(",")) return;
    skip_space();
    const size_t from = at_;
    out_.tolerated = read_span("the tolerated time");
    if (to_duration(*out_.tolerated) <= to_duration(*out_.satisfied)) {
      at_ = from;
      fail_found("a tolerated time above the satisfying one");
    }
  }

  void parse_comparison() {
    skip_space();
    const size_t from = at_;
    for (const auto& [sign, comparison] : kComparisons) {
      if (!take(sign)) continue;
      out_.comparison = comparison;
      const bool exact = comparison == Comparison::Equal || comparison == Comparison::NotEqual;
      if (exact && kind_ != Kind::Count) {
        fail(from,
             "found " + std::string(sign) + ", expected <, <=, > or >=: only counts can be equal");
      }
      return;
    }
    fail_found("<, <=, >, >=, == or !=");
  }

  void parse_limit() {
    skip_space();
    const size_t from = at_;
    if (text_.substr(at_).starts_with("baseline")) {
      parse_baseline();
      return;
    }
    const auto number = read_number();
    if (!number) fail_found(std::string(expected_limit(kind_)) + " or baseline");
    out_.limit = {.number = *number, .unit = read_unit()};
    if (const auto problem = limit_problem(); !problem.empty()) {
      at_ = from;
      fail_found(problem);
    }
  }

  /// What was expected where the limit does not fit the kind; empty where it does.
  std::string_view limit_problem() const {
    const auto& [number, unit, baseline, subtract] = out_.limit;
    const auto* info = find_unit(unit);
    const bool above_one = above(number, 1);
    switch (kind_) {
      case Kind::Count:
        return info == nullptr && number.scale == 0 ? "" : expected_limit(kind_);
      case Kind::Score:
        return info == nullptr && !above_one ? "" : expected_limit(kind_);
      case Kind::Ratio:
        if (info == nullptr) return above_one ? "a share up to 100% (or 1)" : "";
        if (info->kind != Kind::Ratio) return expected_limit(kind_);
        return above(number, 100) ? "a share up to 100% (or 1)" : "";
      case Kind::Any:
        return "";
      default:
        return info != nullptr && info->kind == kind_ ? "" : expected_limit(kind_);
    }
  }
  static bool above(const Number& number, int64_t bound) {
    for (int i = 0; i < number.scale; ++i) bound *= 10;
    return number.digits > bound;
  }

  void parse_baseline() {
    const size_t from = at_;
    if (read_word() != "baseline") {
      at_ = from;
      fail_found("a limit: " + std::string(expected_limit(kind_)) + " or baseline");
    }
    if (out_.comparison == Comparison::Equal || out_.comparison == Comparison::NotEqual) {
      fail(from, "found baseline after == or !=, expected <, <=, > or >= before baseline");
    }
    out_.limit.baseline = true;
    skip_space();
    const bool plus = take("+");
    if (!plus && !take("-")) return;
    skip_space();
    const size_t at_percent = at_;
    const auto number = read_number();
    if (!number || read_unit() != Unit::Percent || (!plus && above(*number, 100))) {
      at_ = at_percent;
      fail_found(plus ? "a percentage, such as 10%" : "a percentage up to 100%");
    }
    out_.limit.number = *number;
    out_.limit.subtract = !plus && number->digits != 0;
  }

  void parse_clause() {
    skip_space();
    const size_t from = at_;
    const auto word = read_word();
    static constexpr std::array<std::string_view, 7> kWords = {"over", "for", "after", "until",
                                                               "min",  "per", "on"};
    const auto* known = std::ranges::find(kWords, word);
    if (known == kWords.end()) {
      at_ = from;
      const auto meant = nearest(word, {kWords.begin(), kWords.end()});
      fail_found("over, for, after, until, min, per or on" +
                 (word.size() > 1 && !meant.empty() ? "; did you mean " + std::string(meant) + "?"
                                                    : std::string()));
    }
    auto& place = clause_at_[static_cast<size_t>(known - kWords.begin())];
    if (place) fail(from, "found a second \"" + std::string(word) + "\", expected one at most");
    place = from;
    read_clause(word);
  }

  void read_clause(std::string_view word) {
    if (word == "over") {
      read_scope();
    } else if (word == "for") {
      read_for();
    } else if (word == "after") {
      out_.after = read_span("a time since the start");
    } else if (word == "until") {
      out_.until = read_span("a time since the start");
    } else if (word == "min") {
      out_.min_samples = read_count("a whole number of samples from 1 up");
    } else if (word == "per") {
      out_.per = read_name();
      if (out_.per.empty()) fail_found("the name of a label after per");
    } else {
      read_action();
    }
  }

  void read_scope() {
    skip_space();
    const size_t from = at_;
    const auto word = read_word();
    if (word == "total") {
      out_.scope = Scope::Total;
    } else if (word == "steady") {
      out_.scope = Scope::Steady;
    } else if (word == "every") {
      out_.scope = Scope::Windows;
      out_.every = read_span("the length of a window");
    } else {
      at_ = from;
      fail_found("total, steady or every with a time, such as over every 10s");
    }
  }

  void read_for() {
    skip_space();
    const size_t from = at_;
    const auto number = read_number();
    if (number && (at_end() || !is_letter(text_[at_]))) {
      const auto word = read_word();
      if (number->scale == 0 && number->digits > 0 && (word == "windows" || word == "window")) {
        out_.for_windows = number->digits;
        return;
      }
      at_ = from;
      fail_found("a number of windows or a time, such as for 3 windows or for 30s");
    }
    at_ = from;
    out_.for_time = read_span("a number of windows or a time");
  }

  void read_action() {
    skip_space();
    const size_t from = at_;
    const auto word = read_word();
    for (const auto& [name, action] : kActions) {
      if (name != word) continue;
      out_.on = action;
      return;
    }
    at_ = from;
    fail_found("fail, abort or warn");
  }

  /// What only the whole line shows. Places are in the order of kWords: over, for, after, until.
  void check_clauses() const {
    if (clause_at_[1] && out_.scope != Scope::Windows) {
      fail(*clause_at_[1],
           "found for without windows, expected over every with a time before it, "
           "such as over every 10s for 3 windows");
    }
    if (out_.for_time && to_duration(*out_.for_time) < to_duration(*out_.every)) {
      fail(*clause_at_[1], "found for " + to_string(*out_.for_time) + ", expected at least one " +
                               "window of " + to_string(*out_.every));
    }
    if (out_.after && out_.until && to_duration(*out_.until) <= to_duration(*out_.after)) {
      fail(*clause_at_[3], "found until " + to_string(*out_.until) +
                               ", expected a time later than " + "after " + to_string(*out_.after));
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  Kind kind_ = Kind::Any;
  Threshold out_;
  std::array<std::optional<size_t>, 7> clause_at_;
};

size_t column_of(std::string_view text, size_t at) {
  const auto before = text.substr(0, at);
  return 1 + static_cast<size_t>(std::ranges::count_if(
                 before, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

std::expected<Threshold, ThresholdError> parse_threshold(std::string_view text) {
  if (text.size() > kMaxThresholdBytes) {
    return std::unexpected(ThresholdError{
        1, "found " + std::to_string(text.size()) + " bytes, expected at most 1024"});
  }
  if (!is_clean_utf8(text)) {
    return std::unexpected(ThresholdError{1, "found bytes that are not UTF-8, expected text"});
  }
  try {
    return Parser(text).parse();
  } catch (const Failure& failure) {
    return std::unexpected(ThresholdError{column_of(text, failure.at), failure.message});
  }
}

}  // namespace atq::results
