#pragma once
// The command line with strings for streams, and goldens to hold its output against.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "src/cli/commands.hpp"

namespace atq::cli::test {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

inline RunSessionFactory no_session() {
  return [](boost::asio::io_context&, const RunRequest&) -> Result<std::unique_ptr<RunSession>> {
    return fail(ErrorKind::Internal, "no session in this test");
  };
}

/// Runs `atq ARGUMENTS` off a terminal.
inline Outcome atq(const std::vector<std::string>& arguments, const std::string& input = {},
                   const RunSessionFactory& make_session = no_session()) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Console console{.in = in, .out = out, .err = err};
  const int code = run_cli(arguments, console, make_session);
  return {code, out.str(), err.str()};
}

/// Compares with tests/data/golden/cli/NAME; ATQ_UPDATE_GOLDENS=1 writes it instead.
inline void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = ATQ_SOURCE_DIR "/tests/data/golden/cli/" + name;
  if (std::getenv("ATQ_UPDATE_GOLDENS") != nullptr) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return;
  }
  std::ifstream in(path);
  ASSERT_TRUE(in) << path << " is missing";
  std::ostringstream golden;
  golden << in.rdbuf();
  EXPECT_EQ(text, golden.str()) << path;
}

/// A fixed moment, and seconds from it.
inline TimePoint at(double seconds) {
  return *parse_rfc3339("2026-11-21T05:00:00Z") +
         Duration(static_cast<int64_t>(seconds * 1'000'000));
}

/// A test in its third second, waiting for a worker.
inline api::LoadTest waiting_test() {
  api::LoadTest test;
  test.metadata.name = "checkout";
  test.metadata.uid = "6f1b";
  test.metadata.creation_timestamp = at(0);
  test.spec.tool = "locust";
  test.spec.worker.replicas = 3;
  test.spec.parameters = {{"host", "127.0.0.1"}, {"users", "50"}};
  test.spec.thresholds = {"p95(latency) < 500ms"};
  auto& status = test.status;
  status.phase = api::Phase::Workers;
  status.reason = "WorkerNotReady";
  status.message =
      "worker 1: tcp 5557 refused (3 of 3 tries), which goes on for longer than any terminal of "
      "eighty columns can show in one line\nsecond line";
  status.run.number = 1;
  status.run.started_at = at(0.2);
  status.workers = {.desired = 3, .discovered = 3, .ready = 2, .addresses = {"127.1.0.1"}};
  status.conditions = {{.type = api::ConditionType::Discovered,
                        .status = api::ConditionStatus::True,
                        .last_transition_time = at(0.3),
                        .reason = "AddressesAssigned",
                        .message = "3 of 3"}};
  return test;
}

/// The same after its end, with everything a report can have.
inline api::LoadTest finished_test(api::Verdict verdict) {
  api::LoadTest test = waiting_test();
  auto& status = test.status;
  status.phase = api::Phase::Finished;
  status.verdict = verdict;
  const bool passed = verdict == api::Verdict::Passed;
  status.reason = passed ? "Passed" : "ThresholdFailed";
  status.message = passed ? "all thresholds hold" : "p95(latency) < 500ms: 612ms";
  status.run.workers_ready_at = at(2);
  status.run.checks_passed_at = at(3);
  status.run.master_started_at = at(3.1);
  status.run.collecting_at = at(33.1);
  status.run.finished_at = at(33.6);
  status.workers.ready = 3;
  status.summary = api::Summary{.final = true,
                                .workers_reporting = 3,
                                .requests = 12000,
                                .failures = 3,
                                .requests_per_second = "400.0",
                                .latency = {.p95 = passed ? 181'000 : 612'000}};
  status.thresholds = {
      {.expr = "p95(latency) < 500ms",
       .value = passed ? "181ms" : "612ms",
       .verdict = passed ? api::ThresholdVerdict::Pass : api::ThresholdVerdict::Fail}};
  status.history = {{.number = 1, .verdict = verdict, .finished_at = at(33.6)}};
  return test;
}

}  // namespace atq::cli::test
