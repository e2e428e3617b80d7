#include "controller/core/verdict.hpp"

#include <gtest/gtest.h>

namespace atq::core {
namespace {

using api::Verdict;

struct Row {
  const char* name;
  int code;
  int signal;
  std::optional<Statement> statement;
  api::ClosingStatement closing;
  Verdict verdict;
  const char* reason;
  const char* message;  ///< must be part of it
};

const api::ClosingStatement kCustom{};
const api::ClosingStatement kJmeter{
    .pattern = "summary", .passed_exit_codes = {0}, .failures_fail = true};
const api::ClosingStatement kLocust{
    .pattern = "Aggregated", .passed_exit_codes = {0}, .failed_exit_codes = {1}};
const api::ClosingStatement kK6{.passed_exit_codes = {0}, .failed_exit_codes = {99, 108, 110}};

Statement statement(int64_t requests, int64_t failures) {
  return {.requests = requests, .failures = failures, .requests_per_second = "10.0"};
}

const Row kRows[] = {
    {"custom passes", 0, 0, {}, kCustom, Verdict::Passed, "ToolPassed", "exited with success"},
    {"custom fails", 1, 0, {}, kCustom, Verdict::Failed, "ToolFailed", "exited 1"},
    {"custom fails with 125", 125, 0, {}, kCustom, Verdict::Failed, "ToolFailed", "exited 125"},
    {"custom with two agents", 120, 0, {}, kCustom, Verdict::Error, "MasterFailed", "exited 120"},
    {"custom cannot start", 121, 0, {}, kCustom, Verdict::Error, "MasterFailed", "last words"},
    {"custom is not executable", 126, 0, {}, kCustom, Verdict::Error, "MasterFailed", "126"},
    {"custom is not found", 127, 0, {}, kCustom, Verdict::Error, "MasterFailed", "127"},
    {"custom is terminated", 143, 0, {}, kCustom, Verdict::Error, "MasterFailed", "143"},
    {"custom is killed", 137, 9, {}, kCustom, Verdict::Error, "MasterFailed", "signal 9"},
    {"jmeter passes", 0, 0, statement(120, 0), kJmeter, Verdict::Passed, "ToolPassed", "0 of 120"},
    {"jmeter, failed requests", 0, 0, statement(120, 12), kJmeter, Verdict::Failed,
     "RequestsFailed", "12 of 120 requests failed (10.0%)"},
    {"jmeter, one of three", 0, 0, statement(3, 1), kJmeter, Verdict::Failed, "RequestsFailed",
     "1 of 3 requests failed (33.3%)"},
    {"jmeter, no request", 0, 0, statement(0, 0), kJmeter, Verdict::NoData, "NoRequests",
     "no request"},
    {"jmeter, no statement", 0, 0, {}, kJmeter, Verdict::NoData, "NoStatement", "closing"},
    {"jmeter, broken plan", 1, 0, {}, kJmeter, Verdict::Error, "MasterFailed", "last words"},
    {"jmeter, broken in spite of a statement", 1, 0, statement(5, 0), kJmeter, Verdict::Error,
     "MasterFailed", "exited 1"},
    {"jmeter is killed", 137, 9, statement(120, 0), kJmeter, Verdict::Error, "MasterFailed",
     "signal 9"},
    {"locust passes", 0, 0, statement(50, 0), kLocust, Verdict::Passed, "ToolPassed", "50"},
    {"locust is told that failures pass", 0, 0, statement(50, 5), kLocust, Verdict::Passed,
     "ToolPassed", "5 of 50"},
    {"locust fails", 1, 0, statement(50, 5), kLocust, Verdict::Failed, "ToolFailed",
     "5 of 50 requests failed (10.0%); the master exited 1"},
    {"locust fails without a request", 1, 0, statement(0, 0), kLocust, Verdict::Failed,
     "ToolFailed", "exited 1"},
    {"locust does not get as far as that",
     1,
     0,
     {},
     kLocust,
     Verdict::Error,
     "MasterFailed",
     "without a closing statement"},
    {"k6 passes", 0, 0, {}, kK6, Verdict::Passed, "ToolPassed", ""},
    {"k6 threshold", 99, 0, {}, kK6, Verdict::Failed, "ToolFailed", "exited 99"},
    {"k6 script error", 107, 0, {}, kK6, Verdict::Error, "MasterFailed", "exited 107"},
};

TEST(Verdict, FollowsTheTable) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    Replica master{.state = ReplicaState::Exited};
    master.exit = Exit{.code = row.code,
                       .signal = row.signal,
                       .ran_for = std::chrono::milliseconds{400},
                       .last_lines = {"first", "last words", "  "}};
    const Replica* ends[] = {&master};
    const Judgement judgement = judge(ends, Role::Master, row.statement, row.closing);
    EXPECT_EQ(judgement.verdict, row.verdict);
    EXPECT_EQ(judgement.reason, row.reason);
    EXPECT_NE(judgement.message.find(row.message), std::string::npos) << judgement.message;
  }
}

TEST(Verdict, OfAMasterlessRunIsThatOfAllWorkers) {
  Replica good{.index = 0, .state = ReplicaState::Exited, .exit = Exit{.code = 0}};
  Replica bad{.index = 1, .state = ReplicaState::Exited, .exit = Exit{.code = 3}};
  Replica dead{.index = 2, .state = ReplicaState::Exited, .exit = Exit{.code = 137, .signal = 9}};
  const Replica* all_good[] = {&good, &good};
  const Replica* one_bad[] = {&good, &bad};
  const Replica* one_dead[] = {&bad, &good, &dead};
  EXPECT_EQ(judge(all_good, Role::Worker, {}, kCustom).verdict, Verdict::Passed);
  EXPECT_EQ(judge(one_bad, Role::Worker, {}, kCustom).verdict, Verdict::Failed);
  EXPECT_EQ(judge(one_bad, Role::Worker, {}, kCustom).message, "worker 1 exited 3 after 0s");
  EXPECT_EQ(judge(one_dead, Role::Worker, {}, kCustom).verdict, Verdict::Error);
}

TEST(Verdict, AnEndNobodySawIsAnError) {
  Replica master{.state = ReplicaState::Exited};
  const Replica* ends[] = {&master};
  const Judgement judgement = judge(ends, Role::Master, {}, kCustom);
  EXPECT_EQ(judgement.verdict, Verdict::Error);
  EXPECT_EQ(judgement.message, "the master ended, nobody knows how");
}

TEST(Verdict, TheDiagnosisIsBetterThanTheLastLine) {
  Replica master{.state = ReplicaState::Exited};
  master.exit = Exit{.code = 127, .last_lines = {"noise"}, .diagnosis = "jmeter is not installed"};
  const Replica* ends[] = {&master};
  EXPECT_EQ(judge(ends, Role::Master, {}, kCustom).message,
            "the master exited 127 after 0s: jmeter is not installed");
}

}  // namespace
}  // namespace atq::core
