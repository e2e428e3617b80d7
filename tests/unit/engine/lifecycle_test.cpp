// What happens around runs: deletion, orphans, admission, requests, leadership, stopping.
#include <gtest/gtest.h>

#include "tests/unit/engine/rig.hpp"

namespace atq::engine {
namespace {

using api::Phase;
using api::Verdict;
using core::Role;
using core::RunId;
using std::chrono::seconds;

TEST(Deletion, RunOfADeletedFileIsRemoved) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  ASSERT_EQ(rig.runtime.active_runs(), 1);
  rig.store.erase(Rig::key("a"));
  rig.clock.settle();
  EXPECT_EQ(rig.runtime.find(run), nullptr);
  EXPECT_TRUE(rig.manager->controller().state().gone.empty());
  EXPECT_EQ(rig.manager->operations().get(Rig::key("a")), nullptr);
}

TEST(Deletion, FailingRemovalIsTriedUntilItSucceeds) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.runtime.fail_next("remove", {ErrorKind::Unavailable, "busy", std::nullopt}, 5);
  rig.store.erase(Rig::key("a"));
  rig.clock.advance(seconds(10));
  EXPECT_EQ(rig.runtime.find(run), nullptr);
}

TEST(Deletion, FinalizerGoesAfterTheRun) {
  Rig rig({.store = {.finalizers = true}});
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.runtime.hang_next("remove");
  rig.store.erase(Rig::key("a"));
  rig.clock.settle();
  EXPECT_NE(rig.store.find(Rig::key("a")), nullptr) << "not before the run is gone";
  rig.runtime.unhang();
  rig.clock.advance(seconds(5));
  EXPECT_EQ(rig.store.find(Rig::key("a")), nullptr);
  EXPECT_EQ(rig.runtime.find(run), nullptr);
}

TEST(Deletion, DuringThePassThatBeginsTheRun) {
  Rig rig;
  rig.runtime.hang_next("ensure_workers");
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.store.erase(Rig::key("a"));
  rig.clock.settle();
  rig.runtime.unhang();
  rig.clock.advance(seconds(5));
  EXPECT_EQ(rig.runtime.find(run), nullptr);
  EXPECT_EQ(rig.runtime.active_runs(), 0);
}

TEST(Deletion, NewObjectOfTheSameNameIsAnother) {
  Rig rig;
  const RunId first{rig.put(Rig::make_test("a")), 1};
  rig.store.erase(Rig::key("a"));
  const RunId second{rig.put(Rig::make_test("a")), 1};
  ASSERT_NE(first.uid, second.uid);
  rig.clock.settle();
  EXPECT_EQ(rig.runtime.find(first), nullptr);
  ASSERT_NE(rig.runtime.find(second), nullptr);
  EXPECT_EQ(rig.phase("a"), Phase::Master);
}

TEST(Orphans, RunOfNoObjectIsRemovedAfterBeingSeenTwice) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.crash();
  rig.store.erase(Rig::key("a"));
  rig.start();
  rig.clock.advance(seconds(4));
  EXPECT_NE(rig.runtime.find(run), nullptr);
  rig.clock.advance(seconds(2));
  EXPECT_EQ(rig.runtime.find(run), nullptr);
}

TEST(Orphans, RunOfAnObjectThatComesLateIsKept) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.restart();
  rig.clock.advance(seconds(60));
  EXPECT_NE(rig.runtime.find(run), nullptr);
}

/// Numbers of the tests that have begun, in order.
std::vector<std::string> begun(const Rig& rig) {
  std::vector<std::pair<TimePoint, std::string>> order;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "t" + std::to_string(10 + i);
    if (const auto at = rig.status(name).run.started_at) {
      order.emplace_back(*at, name);
    }
  }
  std::ranges::sort(order);
  std::vector<std::string> names;
  for (auto& [at, name] : order) {
    names.push_back(name);
  }
  return names;
}

TEST(Admission, TwentyRunsFourAtATimeInTheirOrder) {
  Rig rig({.limit = 4, .reconciles = 3});
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    expected.push_back("t" + std::to_string(10 + i));
    rig.put(Rig::make_test(expected.back()));
    rig.clock.advance(seconds(1));
  }
  EXPECT_EQ(rig.phase("t29"), Phase::Queued);
  for (int round = 0; round < 20; ++round) {
    if (round == 7) {
      rig.restart();  // the order is in the objects
    }
    ASSERT_LE(rig.runtime.active_runs(), 4);
    for (const auto& known : rig.runtime.known_runs()) {
      if (rig.runtime.find(known.id)->master) {
        rig.runtime.exit_master(known.id, 0);
        break;
      }
    }
    rig.clock.advance(seconds(1));
  }
  rig.clock.advance(seconds(30));
  EXPECT_EQ(begun(rig), expected);
  EXPECT_EQ(rig.runtime.most_active_runs(), 4);
  for (const std::string& name : expected) {
    EXPECT_EQ(rig.status(name).verdict, Verdict::Passed) << name;
  }
}

TEST(Admission, FreedPlaceIsTakenAtOnceAndPlacesAreTold) {
  Rig rig({.limit = 1});
  const RunId first{rig.put(Rig::make_test("a")), 1};
  rig.clock.advance(seconds(1));
  rig.put(Rig::make_test("b"));
  rig.clock.advance(seconds(1));
  rig.put(Rig::make_test("c"));
  EXPECT_EQ(rig.phase("b"), Phase::Queued);
  EXPECT_EQ(rig.phase("c"), Phase::Queued);
  const std::string before = rig.status("c").message;
  rig.store.erase(Rig::key("b"));
  rig.clock.advance(seconds(3));
  EXPECT_NE(rig.status("c").message, before) << "it has moved up";
  rig.runtime.exit_master(first, 0);
  rig.clock.settle();
  EXPECT_EQ(rig.phase("c"), Phase::Master);
}

TEST(Requests, StopEndsTheRunAsAborted) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  auto& operations = rig.manager->operations();
  const auto token = rig.call(operations.request_stop(Rig::key("a"), false));
  ASSERT_TRUE(token.has_value()) << token.error().message;
  EXPECT_EQ(*token, "1/Graceful");
  rig.clock.advance(seconds(60));
  EXPECT_EQ(rig.status("a").verdict, Verdict::Aborted);
  EXPECT_EQ(rig.phase("a"), Phase::Finished);
  EXPECT_EQ(rig.runtime.active_runs(), 0);
  const auto again = rig.call(operations.request_stop(Rig::key("a"), true));
  EXPECT_EQ(again.error().kind, ErrorKind::Conflict);
  EXPECT_EQ(rig.call(operations.request_stop(Rig::key("no"), true)).error().kind,
            ErrorKind::NotFound);
}

TEST(Requests, RerunIsOneMoreRunEachTime) {
  Rig rig;
  const std::string uid = rig.put(Rig::make_test("a"));
  std::set<std::string> tokens;
  for (int64_t number = 1; number <= 3; ++number) {
    rig.runtime.exit_master({uid, number}, 0);
    rig.clock.advance(seconds(5));
    ASSERT_EQ(rig.phase("a"), Phase::Finished);
    const auto token = rig.call(rig.manager->operations().request_rerun(Rig::key("a")));
    ASSERT_TRUE(token.has_value());
    tokens.insert(*token);
    rig.clock.settle();
    EXPECT_EQ(rig.status("a").run.number, number + 1);
    EXPECT_EQ(rig.status("a").run.rerun_token, *token);
  }
  EXPECT_EQ(tokens.size(), 3U);
  EXPECT_EQ(rig.status("a").history.size(), 3U);
}

Task<bool> append(std::string& to, std::string_view piece) {
  to += piece;
  co_return true;
}

TEST(Requests, LogsOfAReplica) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.runtime.set_log(run, Role::Worker, 1, "hello\n");
  std::string text;
  const ports::LogOptions options{.role = Role::Worker, .index = 1};
  const auto write = [&text](std::string_view piece) { return append(text, piece); };
  auto& operations = rig.manager->operations();
  ASSERT_TRUE(rig.call(operations.stream_logs(Rig::key("a"), 0, options, write)).has_value());
  EXPECT_EQ(text, "hello\n");
  const auto none = rig.call(operations.stream_logs(Rig::key("a"), 7, options, write));
  EXPECT_EQ(none.error().kind, ErrorKind::NotFound);
}

TEST(Requests, UnknownRuntimeIsRefusedWithTheNamesThereAre) {
  Rig rig;
  auto test = Rig::make_test("a");
  test.spec.runtime = "moon";
  rig.put(test);
  const auto* accepted = api::find_condition(rig.status("a"), api::ConditionType::Accepted);
  ASSERT_NE(accepted, nullptr);
  EXPECT_EQ(accepted->status, api::ConditionStatus::False);
  EXPECT_NE(accepted->message.find("moon"), std::string::npos) << accepted->message;
  EXPECT_NE(accepted->message.find("fake"), std::string::npos);
}

TEST(Requests, ForeignFilesAreAClearError) {
  Rig rig;
  auto test = Rig::make_test("a");
  test.spec.files.push_back({.config_map = "plans"});
  rig.put(test);
  rig.clock.advance(seconds(1));
  EXPECT_EQ(rig.status("a").verdict, Verdict::Error);
  EXPECT_NE(rig.status("a").message.find("configMap plans"), std::string::npos)
      << rig.status("a").message;
}

TEST(Leadership, StandbyTouchesNothing) {
  Rig rig;
  rig.crash();
  rig.start();
  rig.lock->lose();
  rig.clock.settle();
  const auto calls = rig.runtime.log().size();
  rig.put(Rig::make_test("a"));
  rig.clock.advance(seconds(60));
  EXPECT_EQ(rig.runtime.log().size(), calls);
  ASSERT_TRUE(rig.ended.has_value());
  EXPECT_EQ(rig.ended->error().kind, ErrorKind::Canceled);
  rig.manager.reset();
}

TEST(Leadership, LossInTheMiddleOfAPassEndsItBeforeTheNextCall) {
  Rig rig;
  rig.runtime.hang_next("ensure_workers");
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.lock->lose();
  rig.clock.settle();
  const int writes = rig.store.calls("update_status");
  rig.runtime.unhang();
  rig.clock.advance(seconds(60));
  EXPECT_EQ(rig.runtime.starts(run, Role::Master, 0), 0);
  EXPECT_EQ(rig.store.calls("update_status"), writes);
  EXPECT_EQ(rig.runtime.log().back(), "ensure_workers 1");
  rig.manager.reset();
}

TEST(Stopping, EndsInOrderAndLeavesTheRunToTheNextDirector) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.stop();
  ASSERT_TRUE(rig.ended.has_value());
  EXPECT_TRUE(rig.ended->has_value());
  EXPECT_FALSE(rig.lock->held());
  EXPECT_EQ(rig.runtime.active_runs(), 1) << "a run goes on without its director";
  rig.start();
  rig.runtime.exit_master(run, 0);
  rig.clock.advance(seconds(5));
  EXPECT_EQ(rig.status("a").verdict, Verdict::Passed);
}

TEST(Stopping, WaitsForAPassUnderWayWithinItsBudget) {
  Rig rig;
  rig.runtime.hang_next("ensure_workers");
  rig.put(Rig::make_test("a"));
  rig.manager->stop();
  rig.clock.advance(seconds(29));
  EXPECT_FALSE(rig.ended.has_value());
  rig.runtime.unhang();
  rig.clock.settle();
  EXPECT_TRUE(rig.ended.has_value());
  EXPECT_EQ(rig.phase("a"), Phase::Master) << "the pass was finished and written";
}

TEST(Leadership, NothingIsWrittenWhileItMayBeAnothers) {
  Rig rig;
  rig.clock.advance(seconds(1));
  rig.lock->overdue = true;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.clock.advance(seconds(3));
  EXPECT_EQ(rig.runtime.find(run), nullptr);
  EXPECT_EQ(rig.status("a"), api::LoadTestStatus{});
  EXPECT_TRUE(rig.manager->operations().health().overdue);
  rig.lock->overdue = false;  // renewed at the last moment
  rig.clock.advance(seconds(10));
  EXPECT_NE(rig.runtime.find(run), nullptr) << "what was held back is not forgotten";
  EXPECT_FALSE(rig.manager->operations().health().overdue);
}

TEST(Leadership, ThawedLeaderStopsInTheMiddleOfAPass) {
  Rig rig;
  rig.runtime.hang_next("ensure_workers");
  const RunId run{rig.put(Rig::make_test("a")), 1};
  const api::LoadTestStatus before = rig.status("a");
  rig.lock->overdue = true;
  rig.runtime.unhang();
  rig.clock.advance(seconds(3));
  EXPECT_EQ(rig.status("a"), before);
  EXPECT_FALSE(rig.runtime.find(run)->master.has_value());
}

/// A sink that has something to run, as the store's own may have.
class RunningSink final : public ports::EventSink {
 public:
  explicit RunningSink(boost::asio::io_context& io) : changed_(io) {}
  void emit(const std::string& regarding, const std::string&, const core::Event& event,
            TimePoint) override {
    told.push_back(regarding + " " + event.reason);
  }
  Task<void> run() override {
    runs = true;
    while (!stopped_) {
      co_await changed_.wait();
    }
    runs = false;
  }
  void stop() override {
    stopped_ = true;
    changed_.notify_all();
  }
  std::vector<std::string> told;
  bool runs = false;

 private:
  AsyncEvent changed_;
  bool stopped_ = false;
};

TEST(Events, AreToldToTheStoresSinkTooWhileItLeads) {
  Rig rig;
  rig.crash();
  rig.lock = std::make_unique<fakes::FakeLock>(rig.io);
  RunningSink sink(rig.io);
  Manager manager({rig.io, rig.clock, rig.store, {&rig.runtime}, *rig.lock, *rig.metrics, &sink},
                  {});
  bool ended = false;
  boost::asio::co_spawn(rig.io, manager.run(),
                        [&](std::exception_ptr, Result<void>) { ended = true; });
  rig.clock.settle();
  EXPECT_TRUE(sink.runs);
  const std::string uid = rig.put(Rig::make_test("a"));
  EXPECT_NE(std::ranges::find(sink.told, "default/a RunStarted"), sink.told.end());
  EXPECT_EQ(manager.operations().events(uid).size(), sink.told.size());
  manager.stop();
  rig.clock.advance(seconds(60));
  EXPECT_TRUE(ended);
  EXPECT_FALSE(sink.runs);
}

TEST(Stopping, BeforeLeadershipEndsTheWait) {
  Rig rig;
  rig.crash();
  rig.lock = std::make_unique<fakes::FakeLock>(rig.io, false);
  Manager standby({rig.io, rig.clock, rig.store, {&rig.runtime}, *rig.lock, *rig.metrics}, {});
  std::optional<Result<void>> ended;
  boost::asio::co_spawn(rig.io, standby.run(), [&](std::exception_ptr, Result<void> result) {
    ended = std::move(result);
  });
  rig.clock.settle();
  EXPECT_FALSE(standby.operations().health().leading);
  standby.stop();
  rig.clock.settle();
  ASSERT_TRUE(ended.has_value());
  EXPECT_TRUE(ended->has_value());
}

TEST(Starting, RuntimeThatCannotStartEndsIt) {
  Rig rig;
  rig.crash();
  rig.runtime.fail_next("start", {ErrorKind::Internal, "no cgroup", std::nullopt});
  rig.start();
  ASSERT_TRUE(rig.ended.has_value());
  EXPECT_EQ(rig.ended->error().message, "runtime fake: no cgroup");
}

TEST(Starting, NoSyncInTimeEndsIt) {
  Rig rig;
  rig.crash();
  rig.store.pause_watch(true);
  rig.start();
  rig.clock.advance(seconds(119));
  EXPECT_FALSE(rig.ended.has_value());
  rig.clock.advance(seconds(1));
  ASSERT_TRUE(rig.ended.has_value());
  EXPECT_EQ(rig.ended->error().kind, ErrorKind::Timeout);
  rig.store.pause_watch(false);
}

TEST(Watch, ChangesAreToldAndKept) {
  Rig rig;
  auto& operations = rig.manager->operations();
  const uint64_t start = operations.list("").resource_version;
  std::vector<Change> told;
  const auto subscription =
      operations.subscribe([&](const Change& change) { told.push_back(change); });
  const std::string uid = rig.put(Rig::make_test("a"));
  rig.store.erase(Rig::key("a"));
  rig.clock.settle();
  ASSERT_GE(told.size(), 3U);
  EXPECT_EQ(told.front().type, ChangeType::Added);
  EXPECT_EQ(told.back().type, ChangeType::Deleted);
  EXPECT_EQ(told.back().uid, uid);
  EXPECT_EQ(operations.changes_since(start), told);
  EXPECT_EQ(operations.changes_since(start - 1).error().kind, ErrorKind::Gone);
}

TEST(Watch, ListAfterALostConnectionSaysWhatHasGone) {
  Rig rig;
  const RunId run{rig.put(Rig::make_test("a")), 1};
  rig.put(Rig::make_test("b"));
  rig.store.pause_watch(true);
  rig.store.erase(Rig::key("a"));
  rig.store.relist();
  rig.store.pause_watch(false);
  rig.clock.settle();
  EXPECT_EQ(rig.manager->operations().get(Rig::key("a")), nullptr);
  EXPECT_NE(rig.manager->operations().get(Rig::key("b")), nullptr);
  EXPECT_EQ(rig.runtime.find(run), nullptr);
}

}  // namespace
}  // namespace atq::engine
