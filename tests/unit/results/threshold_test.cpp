#include "src/results/threshold.hpp"

#include <random>

#include <gtest/gtest.h>

namespace atq::results {
namespace {

using namespace std::chrono_literals;

Threshold parsed(std::string_view text) {
  const auto threshold = parse_threshold(text);
  if (!threshold) ADD_FAILURE() << text << ": " << to_string(threshold.error());
  return threshold.value_or(Threshold{});
}

TEST(Threshold, ReadsEveryPart) {
  const auto threshold = parsed(
      R"(ratio(failures{label="POST /pay", zone!~"eu-.*"}) <= 0.5% over every 10s for 3 windows )"
      "after 1m until 1h min 100 per status on abort");
  const Threshold expected{
      .aggregate = Aggregate::Ratio,
      .metric = "failures",
      .matchers = {{"label", MatchOp::Equal, "POST /pay"}, {"zone", MatchOp::NotMatches, "eu-.*"}},
      .comparison = Comparison::LessEqual,
      .limit = {.number = {5, 1}, .unit = Unit::Percent},
      .scope = Scope::Windows,
      .every = Span{{10, 0}, Unit::Seconds},
      .for_windows = 3,
      .after = Span{{1, 0}, Unit::Minutes},
      .until = Span{{1, 0}, Unit::Hours},
      .min_samples = 100,
      .per = "status",
      .on = OnViolation::Abort};
  EXPECT_EQ(threshold, expected);
}

TEST(Threshold, DefaultsOfWhatIsNotWritten) {
  const Threshold expected{.aggregate = Aggregate::Percentile,
                           .percentile = {999, 1},
                           .metric = "latency",
                           .comparison = Comparison::Less,
                           .limit = {.number = {15, 1}, .unit = Unit::Seconds}};
  EXPECT_EQ(parsed("p99.9(latency)<1.500s"), expected);
  EXPECT_EQ(parsed("  p99.90 ( latency ) < 1.5s over steady on fail "), expected);
}

TEST(Threshold, PrintsCanonically) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"p95(latency)<500ms", "p95(latency) < 500ms"},
      {"p95(latency) < 500ms over steady on fail", "p95(latency) < 500ms"},
      {"avg(ttfb) >= 0.50ms over total on warn", "avg(ttfb) >= 0.5ms over total on warn"},
      {"on_time(x) < 1", ""},
      {"count(workers_lost) == 0", "count(workers_lost) == 0"},
      {"p99(latency) < baseline + 10% min 1000", "p99(latency) < baseline + 10% min 1000"},
      {"p99(latency) < baseline - 0%", "p99(latency) < baseline"},
      {"p99(latency) < baseline+2.5%", "p99(latency) < baseline + 2.5%"},
      {"apdex(latency,500ms,2s) > 0.9", "apdex(latency, 500ms, 2s) > 0.9"},
      {"rate(requests) >= 900/s per label after 1m over total",
       "rate(requests) >= 900/s over total after 1m per label"},
      {"max(latency) < 1s over every 10s for 1 window",
       "max(latency) < 1s over every 10s for 1 windows"},
      {"max(latency) < 1s for 30s over every 10s", "max(latency) < 1s over every 10s for 30s"},
      {R"(count(failures{label="a\"b\\c"}) < 5)", R"(count(failures{label="a\"b\\c"}) < 5)"},
      {"last(users) >= 100", "last(users) >= 100"},
      {"avg(worker_cpu) < 80%", "avg(worker_cpu) < 80%"},
      {"rate(bytes_in) > 5MB/s", "rate(bytes_in) > 5MB/s"},
      {"p90(checkout.time) < 2s", "p90(checkout.time) < 2s"},
      {"ratio(checks) > 0.99", "ratio(checks) > 0.99"},
  };
  for (const auto& [text, canonical] : cases) {
    if (canonical.empty()) {
      EXPECT_FALSE(parse_threshold(text)) << text;
      continue;
    }
    EXPECT_EQ(to_string(parsed(text)), canonical);
  }
}

TEST(Threshold, ComplaintsHaveAPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "column 1: found nothing, expected a threshold such as p95(latency) < 500ms"},
      {"p95(latency) < 500",
       "column 16: found \"500\", expected a time with its unit, such as 500ms or 1.5s"},
      {"p95(latency) < 500 ms",
       "column 16: found \"500\", expected a time with its unit, such as 500ms or 1.5s"},
      {"p95(latency) < 5%",
       "column 16: found \"5%\", expected a time with its unit, such as 500ms or 1.5s"},
      {"p95(latncy) < 5s", "column 5: found \"latncy\", expected a metric; did you mean latency?"},
      {"p100(latency) < 5s",
       "column 1: found \"p100\", expected a percentile above p0 and below p100, such as p95 or "
       "p99.9"},
      {"p95(requests) < 5",
       "column 1: found p95 of requests, expected one of count, rate for this metric"},
      {"ratio(requests) < 5%",
       "column 1: found ratio of requests, expected one of count, rate for this metric"},
      {"p95(latency) == 5s",
       "column 14: found ==, expected <, <=, > or >=: only counts can be equal"},
      {"ratio(failures) <= 101%", "column 20: found \"101%\", expected a share up to 100% (or 1)"},
      {"ratio(failures) <= 1.5", "column 20: found \"1.5\", expected a share up to 100% (or 1)"},
      {"count(failures) < 1.5", "column 19: found \"1.5\", expected a whole number"},
      {"count(failures) < 5 over every 10s for 2",
       "column 40: found \"2\", expected a number of windows or a time, such as for 3 windows or "
       "for 30s"},
      {"count(failures) < 5 for 3 windows",
       "column 21: found for without windows, expected over every with a time before it, such as "
       "over every 10s for 3 windows"},
      {"count(failures) < 5 after 2m until 1m",
       "column 30: found until 1m, expected a time later than after 2m"},
      {"count(failures) < 5 on stop", "column 24: found \"stop\", expected fail, abort or warn"},
      {"count(failures) < 5 on fail on warn",
       "column 29: found a second \"on\", expected one at most"},
      {"count(failures) < 5 aftr 1m",
       "column 21: found \"aftr\", expected over, for, after, until, min, per or on; did you mean "
       "after?"},
      {"count(failures{label}) < 5",
       "column 21: found \"}\", expected =, !=, =~ or !~ after the name of a label"},
      {"count(failures{ü=\"x\"}) < 5",
       "column 16: found \"ü\", expected the name of a label, such as label=\"POST /pay\""},
      {"count(failures{label=\"ü\"}) < ü",
       "column 30: found \"ü\", expected a whole number or baseline"},
      {"count(failures{label=\"x) < 5",
       "column 22: found a text that does not end, expected a closing double quote"},
      {"p95(latency) < 5parsec",
       "column 17: found unit \"parsec\", expected us, ms, s, m, h, /s, /m, %, B, kB, MB, B/s, "
       "kB/s or MB/s"},
      {"p95(latency", "column 12: found the end, expected ) after the metric"},
      {"count(failures) == baseline",
       "column 20: found baseline after == or !=, expected <, <=, > or >= before baseline"},
      {"avg(latency) < baseline + 10",
       "column 27: found \"10\", expected a percentage, such as 10%"},
      {"apdex(latency) > 0.9",
       "column 14: found \")\", expected , and the satisfying time, such as apdex(latency, "
       "500ms)"},
      {"apdex(latency, 2s, 1s) > 0.9",
       "column 20: found \"1s\", expected a tolerated time above the satisfying one"},
      {"count(failures) < 12345678901234567890",
       "column 19: found a number with too many digits, expected at most 15 digits, 9 of them "
       "after the point"},
      {"count(failures) < -1", "column 19: found \"-\", expected a whole number or baseline"},
      {"max(latency) < 1s over every 10s for 5s",
       "column 34: found for 5s, expected at least one window of 10s"},
  };
  for (const auto& [text, message] : cases) {
    const auto threshold = parse_threshold(text);
    ASSERT_FALSE(threshold) << text;
    EXPECT_EQ(to_string(threshold.error()), message) << text;
  }
}

TEST(Threshold, RefusesHostileText) {
  EXPECT_FALSE(parse_threshold(std::string(2000, 'p')));
  EXPECT_FALSE(parse_threshold(std::string("p95(latency) < 5s\0", 18)));
  EXPECT_FALSE(parse_threshold("p95(latency) < 5s \xFF"));
  EXPECT_FALSE(parse_threshold("count(failures{label=\"a\nb\"}) < 5"));
  EXPECT_FALSE(parse_threshold(std::string(1024, '(')));
}

TEST(Threshold, SpansAreExact) {
  EXPECT_EQ(to_duration({{15, 1}, Unit::Seconds}), 1500ms);
  EXPECT_EQ(to_duration({{1, 9}, Unit::Seconds}), 0us);
  EXPECT_EQ(to_duration({{25, 2}, Unit::Minutes}), 15s);
  EXPECT_EQ(to_duration({{999'999'999'999'999, 0}, Unit::Hours}), Duration::max());
}

// ---- property: printing and parsing are inverse, and no text makes the parser misbehave ---------

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int64_t below(int64_t bound) {
    return std::uniform_int_distribution<int64_t>(0, bound - 1)(engine_);
  }
  bool coin() { return below(2) == 0; }
  template <class T>
  const T& of(const std::vector<T>& values) {
    return values[static_cast<size_t>(below(static_cast<int64_t>(values.size())))];
  }
  Number number(int64_t bound) {
    Number out{below(bound), static_cast<int>(below(4))};
    while (out.scale > 0 && out.digits % 10 == 0) {
      out.digits /= 10;
      --out.scale;
    }
    return out;
  }
  Span span() {
    return {Number{1 + below(900), 0},
            of<Unit>({Unit::Milliseconds, Unit::Seconds, Unit::Minutes, Unit::Hours})};
  }

 private:
  std::mt19937_64 engine_;
};

void random_subject(Random& random, Threshold& out) {
  const auto less = random.of<Comparison>(
      {Comparison::Less, Comparison::LessEqual, Comparison::Greater, Comparison::GreaterEqual});
  out.comparison = less;
  switch (random.below(6)) {
    case 0:
      out.aggregate = Aggregate::Percentile;
      out.percentile = random.of<Number>({{5, 1}, {50, 0}, {95, 0}, {99999, 3}});
      out.metric = random.of<std::string>({"latency", "ttfb", "connect", "start_skew"});
      out.limit = {random.number(100'000), Unit::Microseconds};
      break;
    case 1:
      out.aggregate = Aggregate::Count;
      out.metric = random.of<std::string>({"requests", "failures", "iterations"});
      out.comparison = random.of<Comparison>({less, Comparison::Equal, Comparison::NotEqual});
      out.limit = {Number{random.below(1'000'000), 0}, Unit::None};
      break;
    case 2:
      out.aggregate = Aggregate::Ratio;
      out.metric = random.of<std::string>({"failures", "checks", "dropped"});
      out.limit = {random.number(100), Unit::Percent};
      break;
    case 3:
      out.aggregate = Aggregate::Rate;
      out.metric = "bytes_out";
      out.limit = {random.number(100'000), Unit::KilobytesPerSecond};
      break;
    case 4:
      out.aggregate = Aggregate::Apdex;
      out.metric = "latency";
      out.satisfied = Span{{1 + random.below(9), 0}, Unit::Milliseconds};
      if (random.coin()) out.tolerated = Span{{1 + random.below(9), 0}, Unit::Seconds};
      out.limit = {Number{9, 1}, Unit::None};
      break;
    default:
      out.aggregate = Aggregate::Max;
      out.metric = random.of<std::string>({"my.queue_depth", "_x9"});
      out.limit = {random.number(1000), random.of<Unit>({Unit::None, Unit::Bytes, Unit::Percent})};
  }
  const bool equality =
      out.comparison == Comparison::Equal || out.comparison == Comparison::NotEqual;
  if (!equality && random.below(4) == 0) {
    out.limit = {.number = random.number(90), .unit = Unit::None, .baseline = true};
    out.limit.subtract = out.limit.number.digits != 0 && random.coin();
  }
}

Threshold random_threshold(Random& random) {
  Threshold out;
  random_subject(random, out);
  for (int64_t i = random.below(3); i > 0; --i) {
    out.matchers.push_back({random.of<std::string>({"label", "worker", "a.b"}),
                            random.of<MatchOp>({MatchOp::Equal, MatchOp::NotEqual, MatchOp::Matches,
                                                MatchOp::NotMatches}),
                            random.of<std::string>({"", "POST /pay", "\"\\", "ü{},()", "a|b"})});
  }
  out.scope = random.of<Scope>({Scope::Steady, Scope::Total, Scope::Windows});
  if (out.scope == Scope::Windows) {
    out.every = Span{{1 + random.below(60), 0}, Unit::Seconds};
    if (random.coin()) out.for_windows = 1 + random.below(9);
    if (!out.for_windows && random.coin()) out.for_time = Span{{1, 0}, Unit::Hours};
  }
  if (random.coin()) out.after = random.span();
  if (!out.after && random.coin()) out.until = random.span();
  if (random.coin()) out.min_samples = 1 + random.below(5000);
  if (random.coin()) out.per = "label";
  out.on = random.of<OnViolation>({OnViolation::Fail, OnViolation::Abort, OnViolation::Warn});
  return out;
}

TEST(ThresholdProperty, ParsingWhatIsPrintedGivesTheSame) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const auto threshold = random_threshold(random);
    const auto text = to_string(threshold);
    const auto again = parse_threshold(text);
    ASSERT_TRUE(again) << text << ": " << to_string(again.error());
    ASSERT_EQ(*again, threshold) << text;
    ASSERT_EQ(to_string(*again), text);
  }
}

TEST(ThresholdProperty, DamagedTextIsReadOrRefusedWithAPlaceInIt) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const std::string signs = "p9(){}<>=!~\"\\,.%/ \tabefnoruwy0123\xC3\xBC";
  for (int i = 0; i < 20'000; ++i) {
    auto text = to_string(random_threshold(random));
    for (int64_t edits = 1 + random.below(4); edits > 0; --edits) {
      const auto at = static_cast<size_t>(random.below(static_cast<int64_t>(text.size())));
      const auto sign =
          signs[static_cast<size_t>(random.below(static_cast<int64_t>(signs.size())))];
      if (random.coin()) {
        text[at] = sign;
      } else {
        text.erase(at, 1 + static_cast<size_t>(random.below(5)));
      }
      if (text.empty()) text = " ";
    }
    const auto threshold = parse_threshold(text);
    if (threshold) {
      const auto again = parse_threshold(to_string(*threshold));
      ASSERT_TRUE(again) << text << " -> " << to_string(*threshold);
      ASSERT_EQ(*again, *threshold) << text;
    } else {
      ASSERT_GE(threshold.error().column, 1U);
      ASSERT_LE(threshold.error().column, text.size() + 1) << text;
      ASSERT_FALSE(threshold.error().message.empty());
    }
  }
}

// ---- closing totals
// ------------------------------------------------------------------------------

constexpr std::string_view kNoData = "no data";

std::string judged(std::string_view text, const ClosingTotals& totals) {
  const auto judgement = evaluate_closing(parsed(text), totals);
  if (!judgement) return std::string(kNoData);
  return (judgement->holds ? "holds " : "violated ") + judgement->value;
}

TEST(ThresholdClosing, JudgesTotals) {
  const ClosingTotals totals{
      .requests = 1000, .failures = 7, .requests_per_second = "98.5", .workers_lost = 0};
  EXPECT_EQ(judged("ratio(failures) <= 0.7%", totals), "holds 0.7%");
  EXPECT_EQ(judged("ratio(failures) < 0.7%", totals), "violated 0.7%");
  EXPECT_EQ(judged("ratio(failures) < 0.0071", totals), "holds 0.7%");
  EXPECT_EQ(judged("count(requests) == 1000", totals), "holds 1000");
  EXPECT_EQ(judged("count(requests) != 1000 over total", totals), "violated 1000");
  EXPECT_EQ(judged("count(failures) < 7", totals), "violated 7");
  EXPECT_EQ(judged("rate(requests) >= 98.5/s", totals), "holds 98.5/s");
  EXPECT_EQ(judged("rate(requests) >= 6000/m", totals), "violated 98.5/s");
  EXPECT_EQ(judged("count(workers_lost) == 0", totals), "holds 0");
  EXPECT_EQ(judged("ratio(failures) <= 1% min 1000 on warn", totals), "holds 0.7%");
}

TEST(ThresholdClosing, EverythingElseIsNoData) {
  const ClosingTotals totals{
      .requests = 1000, .failures = 7, .requests_per_second = "98.5", .workers_lost = 0};
  for (const auto* text :
       {"p95(latency) < 1s", "ratio(checks) > 90%", "count(iterations) > 1",
        "ratio(failures{label=\"x\"}) < 1%", "ratio(failures) < 1% over every 10s",
        "ratio(failures) < 1% after 1m", "ratio(failures) < 1% until 1m",
        "ratio(failures) < 1% per label", "ratio(failures) < baseline",
        "ratio(failures) < 1% min 1001", "rate(failures) < 1/s", "rate(workers_lost) < 1/s"}) {
    EXPECT_EQ(judged(text, totals), kNoData) << text;
  }
}

TEST(ThresholdClosing, WhatIsNotStatedIsNoData) {
  EXPECT_EQ(judged("count(requests) >= 0", {}), kNoData);
  EXPECT_EQ(judged("ratio(failures) <= 100%", {.requests = 0, .failures = 0}), kNoData);
  EXPECT_EQ(judged("ratio(failures) <= 100%", {.requests = 5}), kNoData);
  EXPECT_EQ(judged("rate(requests) > 1/s", {.requests_per_second = "fast"}), kNoData);
  EXPECT_EQ(judged("rate(requests) > 1/s", {.requests_per_second = "nan"}), kNoData);
  EXPECT_EQ(judged("rate(requests) > 1/s", {.requests_per_second = "9.5 "}), kNoData);
}

TEST(ThresholdClosing, TotalsWithWarmUpSayNothingOfTheSteadyPart) {
  const ClosingTotals totals{.requests = 10, .failures = 0, .workers_lost = 0, .all_steady = false};
  EXPECT_EQ(judged("ratio(failures) < 1%", totals), kNoData);
  EXPECT_EQ(judged("ratio(failures) < 1% over total", totals), "holds 0%");
  EXPECT_EQ(judged("count(workers_lost) == 0", totals), "holds 0");
}

TEST(ThresholdClosing, LargeCountsDoNotOverflow) {
  const ClosingTotals totals{.requests = INT64_MAX, .failures = INT64_MAX};
  EXPECT_EQ(judged("ratio(failures) >= 99.999999999%", totals), "holds 100%");
}

}  // namespace
}  // namespace atq::results
