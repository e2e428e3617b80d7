// Whole runs through the real core on virtual time: what goes well and what goes wrong.
#include <gtest/gtest.h>

#include "tests/unit/engine/rig.hpp"

namespace atq::engine {
namespace {

using api::Phase;
using api::Verdict;
using core::Role;
using core::RunId;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Run, GoesThroughItsPhasesToItsVerdict) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a", 3)), 1};
  EXPECT_EQ(rig.phase("a"), Phase::Master);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(rig.runtime.starts(run, Role::Worker, i), 1);
  }
  EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 1);
  rig.clock.advance(seconds(30));
  rig.runtime.exit_master(run, 0);
  rig.clock.settle();
  EXPECT_EQ(rig.phase("a"), Phase::Finished);
  EXPECT_EQ(rig.status("a").verdict, Verdict::Passed);
  EXPECT_EQ(rig.runtime.find(run), nullptr) << "a passed run is cleaned up";
  EXPECT_EQ(rig.runtime.active_runs(), 0);
}

TEST(Run, WorkersStartBeforeAnyWaitAndStatusIsWrittenOnceForTheWholeStartUp) {
  Rig rig({.runtime = {.ready_at_once = false}});
  const TimePoint before = rig.clock.now();
  const RunId run{rig.put(Rig::make_test("a")), 1};
  EXPECT_EQ(rig.runtime.starts(run, Role::Worker, 0), 1);
  EXPECT_EQ(rig.clock.now(), before);
  EXPECT_EQ(rig.phase("a"), Phase::Workers);
  EXPECT_EQ(rig.store.calls("update_status"), 1);
}

TEST(Run, SteadyStateWritesNothing) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.clock.advance(seconds(2));
  const int writes = rig.store.calls("update_status");
  const int observed = rig.runtime.calls("observe");
  rig.clock.advance(seconds(600));
  rig.runtime.hint(run.uid);
  rig.clock.settle();
  EXPECT_EQ(rig.store.calls("update_status"), writes);
  EXPECT_LE(rig.runtime.calls("observe") - observed, 3);
}

TEST(Run, WithoutMasterTheWorkersAreReleasedTogether) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a", 4, false)), 1};
  EXPECT_EQ(rig.phase("a"), Phase::Master);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(rig.runtime.starts(run, Role::Worker, i), 1);
    rig.runtime.exit_worker(run, i, 0);
  }
  rig.clock.settle();
  EXPECT_EQ(rig.status("a").verdict, Verdict::Passed) << rig.status("a").message;
}

TEST(Run, LostWorkerIsAVerdictAtOnce) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a", 3)), 1};
  rig.runtime.exit_worker(run, 1, 137);
  rig.clock.settle();
  EXPECT_EQ(rig.status("a").verdict, Verdict::Error);
  EXPECT_NE(rig.status("a").message.find("worker 1"), std::string::npos) << rig.status("a").message;
  rig.clock.advance(seconds(60));
  EXPECT_EQ(rig.phase("a"), Phase::Finished);
  EXPECT_EQ(rig.runtime.active_runs(), 0);
}

TEST(Run, StartUpDeadlineEndsTheWaiting) {
  Rig rig({.runtime = {.ready_at_once = false}});
  auto test = Rig::make_test("a");
  test.spec.run_policy.startup_deadline_seconds = 60;
  const RunId run{rig.put(test), 1};
  rig.clock.advance(seconds(59));
  EXPECT_EQ(rig.phase("a"), Phase::Workers);
  rig.clock.advance(seconds(1));
  EXPECT_EQ(rig.status("a").verdict, Verdict::Error);
  rig.clock.advance(seconds(300));
  EXPECT_EQ(rig.phase("a"), Phase::Finished);
  EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 0);
}

TEST(Run, ChecksThenDelayThenMaster) {
  Rig rig({.runtime = {.checks_pass_at_once = false}});
  auto test = Rig::make_test("a");
  test.spec.health_check.delay_seconds = 5;
  test.spec.health_check.checks.push_back({.name = "up", .check = api::TcpCheck{.port = 80}});
  const RunId run{rig.put(test), 1};
  rig.clock.advance(seconds(3));
  EXPECT_EQ(rig.phase("a"), Phase::HealthCheck);
  rig.runtime.pass_checks(run);
  rig.clock.advance(milliseconds(4999));
  EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 0);
  rig.clock.advance(milliseconds(1));
  EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 1);
  EXPECT_EQ(rig.phase("a"), Phase::Master);
}

TEST(Run, FailingActionIsNamedAndTriedAgain) {
  Rig rig;
  rig.runtime.fail_next("ensure_workers", {ErrorKind::Unavailable, "no room", std::nullopt}, 3);
  const RunId run{rig.put(Rig::make_test("a")), 1};
  EXPECT_NE(rig.status("a").message.find("no room"), std::string::npos) << rig.status("a").message;
  EXPECT_LE(rig.runtime.calls("ensure_workers"), 2);
  rig.clock.advance(seconds(1));
  EXPECT_EQ(rig.phase("a"), Phase::Master);
  EXPECT_EQ(rig.runtime.calls("ensure_workers"), 4);
  EXPECT_EQ(rig.runtime.starts(run, Role::Worker, 0), 1);
}

TEST(Run, RefusedActionIsAVerdict) {
  Rig rig;
  rig.runtime.fail_next("ensure_workers", {ErrorKind::Invalid, "no such image", std::nullopt});
  rig.put(Rig::make_test("a"));
  rig.clock.advance(seconds(1));
  EXPECT_EQ(rig.status("a").verdict, Verdict::Error);
  EXPECT_NE(rig.status("a").message.find("no such image"), std::string::npos);
}

TEST(Run, LostAnswersDoNothingTwice) {
  for (const std::string call : {"begin", "ensure_workers", "ensure_master", "release"}) {
    SCOPED_TRACE(call);
    Rig rig;
    rig.runtime.lose_answer(call, {ErrorKind::Unavailable, "connection lost", std::nullopt});
    const RunId run{rig.put(Rig::make_test("a")), 1};
    rig.clock.advance(seconds(1));
    EXPECT_EQ(rig.phase("a"), Phase::Master);
    EXPECT_EQ(rig.runtime.starts(run, Role::Worker, 0), 1);
    EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 1);
  }
}

TEST(Run, HungCallMissesItsDeadlineAndIsNotDoubled) {
  Rig rig;
  rig.runtime.hang_next("ensure_workers");
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.clock.advance(seconds(29));
  EXPECT_TRUE(rig.status("a").message.find("no answer") == std::string::npos);
  rig.clock.advance(seconds(1));
  EXPECT_NE(rig.status("a").message.find("no answer within 30s"), std::string::npos)
      << rig.status("a").message;
  rig.clock.advance(seconds(120));
  EXPECT_EQ(rig.runtime.calls("ensure_workers"), 1) << "the first may still do its work";
  rig.runtime.unhang();
  rig.clock.settle();
  EXPECT_EQ(rig.phase("a"), Phase::Master) << rig.status("a").message;
  EXPECT_EQ(rig.runtime.starts(run, Role::Worker, 0), 1);
}

TEST(Run, ConflictOnTheStatusIsReadAgainAndResolved) {
  Rig rig;
  rig.store.fail_next("update_status", {ErrorKind::Conflict, "changed", std::nullopt}, 2);
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.clock.advance(seconds(1));
  EXPECT_EQ(rig.phase("a"), Phase::Master);
  EXPECT_EQ(rig.runtime.starts(run, Role::Worker, 0), 1);
  EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 1);
}

TEST(Run, LostAnswerOfAStatusWriteIsNoSecondRun) {
  Rig rig;
  rig.store.lose_answer("update_status", {ErrorKind::Timeout, "no answer", std::nullopt});
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.clock.advance(seconds(1));
  EXPECT_EQ(rig.phase("a"), Phase::Master);
  EXPECT_EQ(rig.runtime.known_runs().size(), 1U);
  EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 1);
}

TEST(Run, StaleWatchIsNotActedOn) {
  Rig rig;
  rig.put(Rig::make_test("other"));
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.store.pause_watch(true);
  rig.runtime.exit_master(run, 0);
  rig.clock.advance(seconds(5));
  EXPECT_EQ(rig.phase("a"), Phase::Finished) << "our own writes are known without the watch";
  rig.store.pause_watch(false);
  rig.clock.advance(seconds(5));
  EXPECT_EQ(rig.phase("a"), Phase::Finished);
  EXPECT_EQ(rig.status("a").run.number, 1);
  EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 1);
}

TEST(Run, CountsAndMessagesAreWrittenAtMostOnceASecond) {
  Rig rig({.runtime = {.ready_at_once = false}});
  const RunId run{rig.put(Rig::make_test("a", 10)), 1};
  const int writes = rig.store.calls("update_status");
  for (int i = 0; i < 9; ++i) {
    rig.runtime.set_ready(run, i, true);
    rig.clock.advance(milliseconds(100));
  }
  EXPECT_EQ(rig.store.calls("update_status"), writes);
  rig.clock.advance(milliseconds(100));
  EXPECT_EQ(rig.store.calls("update_status"), writes + 1);
  EXPECT_EQ(rig.status("a").workers.ready, 9);
  rig.runtime.set_ready(run, 9, true);
  rig.clock.settle();
  EXPECT_EQ(rig.phase("a"), Phase::Master) << "a new phase does not wait";
}

TEST(Run, DirectorMayDieAnywhere) {
  // The crash comes after so many calls that change something.
  for (size_t calls = 0; calls < 12; ++calls) {
    SCOPED_TRACE("crash after " + std::to_string(calls) + " calls");
    Rig rig;
    auto test = Rig::make_test("a");
    test.spec.health_check.checks.push_back({.name = "up", .check = api::TcpCheck{.port = 80}});
    const RunId run{rig.store.put(test), 1};
    while (rig.runtime.log().size() < calls && rig.io.poll_one() > 0) {
    }
    rig.restart();
    rig.clock.advance(seconds(1));
    ASSERT_EQ(rig.phase("a"), Phase::Master) << rig.status("a").message;
    rig.restart();
    rig.runtime.exit_master(run, 0);
    rig.clock.advance(seconds(10));
    EXPECT_EQ(rig.status("a").verdict, Verdict::Passed);
    EXPECT_EQ(rig.runtime.starts(run, Role::Worker, 0), 1);
    EXPECT_EQ(rig.runtime.starts(run, Role::Worker, 1), 1);
    EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 1);
    EXPECT_TRUE(rig.runtime.known_runs().empty());
  }
}

TEST(Run, DirectorMayDieWhileTheRunEnds) {
  for (size_t calls = 0; calls < 8; ++calls) {
    SCOPED_TRACE("crash after " + std::to_string(calls) + " calls");
    Rig rig;
    const RunId run{rig.put(Rig::make_test("a")), 1};
    const size_t before = rig.runtime.log().size();
    rig.runtime.exit_master(run, 0);
    while (rig.runtime.log().size() < before + calls && rig.io.poll_one() > 0) {
    }
    rig.restart();
    rig.clock.advance(seconds(10));
    EXPECT_EQ(rig.phase("a"), Phase::Finished);
    EXPECT_EQ(rig.status("a").verdict, Verdict::Passed) << rig.status("a").message;
    EXPECT_EQ(rig.status("a").run.number, 1);
    EXPECT_TRUE(rig.runtime.known_runs().empty());
  }
}

}  // namespace
}  // namespace atq::engine
