#include "controller/core/statement.hpp"

#include <gtest/gtest.h>

#include "controller/api/profile.hpp"

namespace atq::core {
namespace {

// The end of a master's output, JMeter 5.6.3, three servers.
constexpr char kJmeter[] =
    "summary +    137 in 00:00:02 =   88.3/s Avg:     2 Min:     0 Max:    40 Err:    27 (19.71%) "
    "Active: 2 Started: 6 Finished: 4\r\n"
    "summary +     67 in 00:00:00 = 1000.0/s Avg:     1 Min:     0 Max:    24 Err:    13 (19.40%) "
    "Active: 0 Started: 6 Finished: 6\r\n"
    "summary =    204 in 00:00:02 =  126.0/s Avg:     2 Min:     0 Max:    40 Err:    40 "
    "(19.61%)\r\n"
    "Tidying up remote @ 2026 Nov 20 21:12:13 UTC (1795209133420)\n"
    "... end of run\n";

// Locust 2.47, --only-summary, one of five requests failing.
constexpr char kLocust[] =
    "Type     Name  # reqs      # fails |    Avg     Min     Max    Med |   req/s  failures/s\n"
    "--------|------|-------|-------------|-------|-------|-------|-------|--------|-----------\n"
    "GET      /flaky   235    47(20.00%) |      1       0      25      1 |   59.20       11.84\n"
    "--------|------|-------|-------------|-------|-------|-------|-------|--------|-----------\n"
    "         Aggregated   235    47(20.00%) |      1       0      25      1 |   59.20       "
    "11.84\n"
    "\n";

TEST(Statement, IsReadFromTheToolsLastSummary) {
  const auto& profiles = api::builtin_profiles();
  EXPECT_EQ(read_statement(kJmeter, profiles.at("jmeter").closing.pattern),
            (Statement{204, 40, "126.0"}));
  EXPECT_EQ(read_statement(kLocust, profiles.at("locust").closing.pattern),
            (Statement{235, 47, "59.20"}));
}

TEST(Statement, IsNeverInvented) {
  EXPECT_EQ(read_statement("", "requests=(?P<requests>\\d+)"), std::nullopt);
  EXPECT_EQ(read_statement("no numbers", "requests=(?P<requests>\\d+)"), std::nullopt);
  EXPECT_EQ(read_statement("requests=12", ""), std::nullopt);
  EXPECT_EQ(read_statement("requests=12", "requests=((?P<requests>\\d+)"), std::nullopt);
  EXPECT_EQ(read_statement("requests=99999999999999999999", "requests=(?P<requests>\\d+)"),
            std::nullopt);
  EXPECT_EQ(read_statement("n=12", "n=(?P<count>\\d+)"), std::nullopt);
}

TEST(Statement, WithoutFailuresOrRateIsStillOne) {
  EXPECT_EQ(read_statement("requests=12", "requests=(?P<requests>\\d+)"), (Statement{12, 0, ""}));
}

TEST(Statement, OfSeveralWorkersIsTheirSum) {
  EXPECT_EQ(sum({}), std::nullopt);
  EXPECT_EQ(sum({{1, 0, "2.25"}}), (Statement{1, 0, "2.25"}));
  EXPECT_EQ(sum({{1, 0, "2.2"}, {3, 1, "0.15"}}), (Statement{4, 1, "2.4"}));
  EXPECT_EQ(sum({{1, 0, "2.2"}, {3, 1, ""}}), (Statement{4, 1, ""}));
}

TEST(Diagnose, TakesTheFirstThatMatchesAndFillsItsGroups) {
  const std::vector<api::Diagnosis> diagnoses{
      {.pattern = "(", .message = "a broken pattern is passed over"},
      {.pattern = "port (\\d+) in use", .message = "port \\1 is taken"},
      {.pattern = "fatal", .message = "it failed"}};
  EXPECT_EQ(diagnose("fatal\nport 1099 in use\n", diagnoses), "port 1099 is taken");
  EXPECT_EQ(diagnose("fatal\x01 \n", diagnoses), "it failed");
  EXPECT_EQ(diagnose("all well", diagnoses), "");
}

}  // namespace
}  // namespace atq::core
