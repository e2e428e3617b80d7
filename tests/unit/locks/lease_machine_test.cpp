#include "src/locks/kube_lease/lease_machine.hpp"

#include <gtest/gtest.h>

namespace atq::locks {
namespace {

using namespace std::chrono_literals;
using Step = LeaseMachine::Step;
using Write = LeaseMachine::Write;

constexpr TimePoint kWall{1'000'000s};

/// A server of one Lease, and contenders that never meet a failing call unless told to.
struct Server {
  std::optional<SeenLease> lease;
  int versions = 0;

  /// As PUT and POST do; false: Conflict.
  bool write(const Write& step) {
    if (step.version != (lease ? lease->version : "")) return false;
    lease = SeenLease{step.record, std::to_string(++versions)};
    return true;
  }
};

/// A whole try whose every call takes no time.
void attempt(LeaseMachine& machine, Server& server, Duration now) {
  Step step = machine.begin(now, kWall);
  for (int i = 0; i < 4; ++i) {
    if (std::holds_alternative<LeaseMachine::Read>(step)) {
      step = machine.read(server.lease, now, kWall);
    } else if (const auto* write = std::get_if<Write>(&step)) {
      if (server.write(*write)) {
        machine.wrote(*server.lease, now, now);
        return;
      }
      step = machine.conflicted();
    } else {
      return;
    }
  }
  ADD_FAILURE() << "a try without an end";
}

TEST(LeaseMachine, TakesWhatNobodyHasAndRenewsWithoutReading) {
  Server server;
  LeaseMachine a("a", {});
  attempt(a, server, 0s);
  ASSERT_TRUE(a.holds());
  EXPECT_EQ(server.lease->record.holder, "a");
  EXPECT_EQ(server.lease->record.lease_seconds, 15);
  EXPECT_EQ(server.lease->record.transitions, 0);
  const Step step = a.begin(2s, kWall + 2s);
  ASSERT_TRUE(std::holds_alternative<Write>(step)) << "the short way";
  EXPECT_EQ(std::get<Write>(step).version, "1");
  EXPECT_EQ(std::get<Write>(step).record.acquired, kWall);
  EXPECT_EQ(std::get<Write>(step).record.renewed, kWall + 2s);
}

TEST(LeaseMachine, JudgesAgeByWhenItSawTheRecordChange) {
  Server server;
  LeaseMachine a("a", {}), b("b", {});
  attempt(a, server, 0s);
  server.lease->record.renewed = TimePoint{};  // a clock that is decades behind says nothing
  attempt(b, server, 14s);
  EXPECT_FALSE(b.holds()) << "first seen only now";
  attempt(b, server, 28s);
  EXPECT_FALSE(b.holds());
  attempt(b, server, 29s);
  ASSERT_TRUE(b.holds());
  EXPECT_EQ(server.lease->record.transitions, 1);
  EXPECT_EQ(b.holder(), "b");
}

TEST(LeaseMachine, HolderThatRenewsIsLeftAlone) {
  Server server;
  LeaseMachine a("a", {}), b("b", {});
  for (Duration now = 0s; now < 120s; now += 2s) {
    attempt(a, server, now);
    attempt(b, server, now + 1s);
    ASSERT_TRUE(a.may_write(now));
    ASSERT_FALSE(b.holds());
  }
  EXPECT_EQ(server.lease->record.transitions, 0);
}

TEST(LeaseMachine, StopsWritingBeforeItLosesAndLosesBeforeOthersMayTake) {
  Server server;
  LeaseMachine a("a", {}), b("b", {});
  attempt(a, server, 0s);
  attempt(b, server, 0s);
  EXPECT_TRUE(a.may_write(8'999ms));
  EXPECT_FALSE(a.may_write(9s));
  EXPECT_FALSE(a.is_lost(9'999ms));
  EXPECT_TRUE(a.is_lost(10s));
  attempt(b, server, 14'999ms);
  EXPECT_FALSE(b.holds());
  attempt(a, server, 14'999ms);
  EXPECT_TRUE(a.is_lost(14'999ms)) << "what is lost is not renewed";
  attempt(b, server, 15s);
  EXPECT_TRUE(b.holds());
}

TEST(LeaseMachine, AnswerThatComesTooLateIsNoLeadership) {
  Server server;
  LeaseMachine a("a", {});
  const Step step = a.read(std::nullopt, 0s, kWall);
  ASSERT_TRUE(server.write(std::get<Write>(step)));
  a.wrote(*server.lease, 0s, 9'500ms);  // frozen between the call and its answer
  EXPECT_FALSE(a.holds());
  attempt(a, server, 10s);
  EXPECT_TRUE(a.may_write(10s)) << "its own record is its to renew";
  EXPECT_EQ(server.lease->record.transitions, 0);

  const Step renewal = a.begin(12s, kWall);
  ASSERT_TRUE(server.write(std::get<Write>(renewal)));
  a.wrote(*server.lease, 12s, 30s);
  EXPECT_FALSE(a.may_write(30s));
  EXPECT_TRUE(a.is_lost(30s));
}

TEST(LeaseMachine, ConflictIsLookedIntoOnce) {
  Server server;
  LeaseMachine a("a", {});
  attempt(a, server, 0s);
  server.lease->version = "touched";  // somebody has labelled the Lease
  attempt(a, server, 2s);
  EXPECT_TRUE(a.may_write(10s)) << "renewed on the long way";

  server.lease = SeenLease{{"b", 15, kWall, kWall, 7}, "taken"};
  attempt(a, server, 4s);
  EXPECT_TRUE(a.is_lost(4s));
  EXPECT_FALSE(a.may_write(4s));
  EXPECT_EQ(a.holder(), "b");
  EXPECT_EQ(server.lease->record.holder, "b");
}

TEST(LeaseMachine, ContenderWhoIsSlowerWaits) {
  Server server;
  LeaseMachine a("a", {}), b("b", {});
  const Step of_a = a.read(std::nullopt, 0s, kWall);
  const Step of_b = b.read(std::nullopt, 0s, kWall);
  ASSERT_TRUE(server.write(std::get<Write>(of_a)));
  ASSERT_FALSE(server.write(std::get<Write>(of_b)));
  EXPECT_TRUE(std::holds_alternative<LeaseMachine::Wait>(b.conflicted()));
  EXPECT_FALSE(b.holds());
}

TEST(LeaseMachine, LeaseThatWasDeletedIsMadeAgain) {
  Server server;
  LeaseMachine a("a", {});
  attempt(a, server, 0s);
  server.lease.reset();
  attempt(a, server, 2s);
  EXPECT_TRUE(a.may_write(10s));
  EXPECT_EQ(server.lease->record.holder, "a");
}

TEST(LeaseMachine, ReleasedLeaseIsTakenAtOnce) {
  Server server;
  LeaseMachine a("a", {}), b("b", {});
  attempt(a, server, 0s);
  attempt(b, server, 1s);
  const auto step = a.release(kWall + 2s);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->record.holder, "");
  EXPECT_EQ(step->record.lease_seconds, 1);
  ASSERT_TRUE(server.write(*step));
  EXPECT_FALSE(a.holds());
  attempt(b, server, 2s);
  EXPECT_TRUE(b.holds());
  EXPECT_EQ(server.lease->record.transitions, 1);
  EXPECT_FALSE(a.release(kWall)) << "no longer known to be ours";
}

TEST(LeaseMachine, WaitsWithJitterAndWakesUpAtTheEndOfTheLease) {
  Server server;
  LeaseMachine a("a", {}), b("b", {});
  attempt(a, server, 0s);
  EXPECT_EQ(a.pause(0s, 0.9), 2s) << "a leader renews without jitter";
  EXPECT_EQ(a.pause(9s, 0.9), 1s) << "and looks at its deadline in time";
  attempt(b, server, 0s);
  EXPECT_EQ(b.pause(0s, 0.0), 2s);
  EXPECT_EQ(b.pause(0s, 0.5), 3'200ms);
  EXPECT_EQ(b.pause(14s, 0.0), 1s);
  EXPECT_EQ(b.pause(20s, 0.5), 250ms) << "not at once: all contenders see the same end";
}

TEST(LeaseMachine, TimesThatDoNotFitAreNamed) {
  EXPECT_EQ(problem_of({}), "");
  EXPECT_NE(problem_of({.lease = 10s}), "");
  EXPECT_NE(problem_of({.retry = 9s}), "");
  EXPECT_NE(problem_of({.retry = 0s}), "");
  EXPECT_NE(problem_of({.margin = 10s}), "");
}

TEST(LeaseMachine, HostileRecordIsBoundedNotBelieved) {
  Server server;
  server.lease = SeenLease{{"x", INT64_MAX, TimePoint::max(), TimePoint::min(), -5}, "1"};
  LeaseMachine a("a", {});
  attempt(a, server, 0s);
  attempt(a, server, 100h);
  EXPECT_FALSE(a.holds());
  server.lease->record.lease_seconds = INT64_MIN;
  attempt(a, server, 101h);
  EXPECT_TRUE(a.holds()) << "a lease of no time has ended";
}

}  // namespace
}  // namespace atq::locks
