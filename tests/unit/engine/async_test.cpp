// Coroutine tools of the engine on virtual time: task group, deadlines, the waiting queue.
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "controller/engine/async_queue.hpp"
#include "controller/engine/deadline.hpp"
#include "tests/fakes/virtual_clock.hpp"

namespace atq::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AsyncTest : public ::testing::Test {
 protected:
  void spawn(Task<void> task) { group_.spawn(std::move(task)); }

  boost::asio::io_context io_;
  fakes::VirtualClock clock_{io_};
  int errors_ = 0;
  TaskGroup group_{io_, [this](std::exception_ptr) { ++errors_; }};
};

Task<void> sleep_until(ports::Clock& clock, TimePoint at, bool& woke) {
  const auto timer = clock.make_timer();
  woke = co_await timer->wait_until(at);
}

TEST_F(AsyncTest, VirtualTimeMovesFromAlarmToAlarm) {
  const TimePoint start = clock_.now();
  bool first = false;
  bool second = false;
  spawn(sleep_until(clock_, start + seconds(1), first));
  spawn(sleep_until(clock_, start + seconds(3600), second));
  clock_.advance(seconds(1));
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  EXPECT_EQ(group_.size(), 1U);
  clock_.advance(seconds(3599));
  EXPECT_TRUE(second);
  EXPECT_EQ(group_.size(), 0U);
}

Task<void> throws() {
  throw std::runtime_error("as told");
  co_return;
}

TEST_F(AsyncTest, GroupTellsOfWhatATaskThrows) {
  spawn(throws());
  clock_.settle();
  EXPECT_EQ(errors_, 1);
  EXPECT_EQ(group_.size(), 0U);
}

Task<void> join(TaskGroup& group, bool& joined) {
  co_await group.join();
  joined = true;
}

TEST_F(AsyncTest, JoinWaitsForEveryTask) {
  TaskGroup outer(io_, [](std::exception_ptr) {});
  bool woke = false;
  bool joined = false;
  spawn(sleep_until(clock_, clock_.now() + seconds(1), woke));
  outer.spawn(join(group_, joined));
  clock_.settle();
  EXPECT_FALSE(joined);
  clock_.advance(seconds(1));
  EXPECT_TRUE(joined);
}

AsyncResult<int> answer_after(ports::Clock& clock, Duration delay, const std::string& text) {
  const auto timer = clock.make_timer();
  const TimePoint at = clock.now() + delay;
  co_await timer->wait_until(at);
  co_return static_cast<int>(text.size());
}

Task<void> call(TaskGroup& group, fakes::VirtualClock& clock, Duration takes, Duration limit,
                std::optional<Result<int>>& result) {
  const std::string text = "longer than any small string is";
  auto task = with_deadline<int>(group, clock, limit, "ask", [&clock, takes, text] {
    return answer_after(clock, takes, text);
  });
  auto answer = co_await std::move(task);
  result.emplace(std::move(answer));
}

TEST_F(AsyncTest, DeadlineGivesTheAnswerOrTimeout) {
  TaskGroup calls(io_, [](std::exception_ptr) {});
  std::optional<Result<int>> at_once, in_time, late;
  spawn(call(calls, clock_, Duration::zero(), seconds(30), at_once));
  spawn(call(calls, clock_, seconds(29), seconds(30), in_time));
  spawn(call(calls, clock_, seconds(31), seconds(30), late));
  clock_.settle();
  ASSERT_TRUE(at_once.has_value());
  EXPECT_EQ(**at_once, 31);
  clock_.advance(seconds(29));
  ASSERT_TRUE(in_time.has_value());
  EXPECT_EQ(**in_time, 31);
  EXPECT_FALSE(late.has_value());
  clock_.advance(seconds(1));
  ASSERT_TRUE(late.has_value());
  EXPECT_EQ(late->error().kind, ErrorKind::Timeout);
  EXPECT_EQ(late->error().message, "ask: no answer within 30s");
  EXPECT_EQ(calls.size(), 1U) << "the late call is still owned";
  clock_.advance(seconds(1));
  EXPECT_EQ(calls.size(), 0U);
}

AsyncResult<int> throwing_call() {
  throw std::runtime_error("as told");
  co_return 1;
}

Task<void> call_throwing(TaskGroup& group, ports::Clock& clock) {
  auto task = with_deadline<int>(group, clock, seconds(1), "ask", [] { return throwing_call(); });
  (void)co_await std::move(task);
}

TEST_F(AsyncTest, DeadlineHandsOnWhatTheCallThrows) {
  TaskGroup calls(io_, [](std::exception_ptr) {});
  spawn(call_throwing(calls, clock_));
  clock_.settle();
  EXPECT_EQ(errors_, 1);
}

Task<void> work(AsyncQueue& queue, ports::Clock& clock, Duration takes,
                std::vector<std::string>& done) {
  const auto timer = clock.make_timer();
  while (true) {
    auto item = co_await queue.next();
    if (!item) {
      co_return;
    }
    const TimePoint at = clock.now() + takes;
    co_await timer->wait_until(at);
    done.push_back(item->key.name);
    queue.done(*item);
  }
}

WorkItem named(const std::string& name) { return {.key = {"default", name}, .gone_uid = ""}; }

TEST_F(AsyncTest, QueueWakesWorkersForWorkAndForAlarms) {
  AsyncQueue queue(io_, clock_, nullptr);
  std::vector<std::string> done;
  spawn(queue.run_alarms());
  spawn(work(queue, clock_, Duration::zero(), done));
  clock_.settle();
  queue.add_after(named("late"), seconds(5));
  queue.add_after(named("soon"), seconds(1));
  queue.add(named("now"));
  clock_.settle();
  EXPECT_EQ(done, (std::vector<std::string>{"now"}));
  clock_.advance(seconds(1));
  EXPECT_EQ(done, (std::vector<std::string>{"now", "soon"}));
  clock_.advance(seconds(4));
  EXPECT_EQ(done, (std::vector<std::string>{"now", "soon", "late"}));
  queue.add_after(named("again"), seconds(1));
  clock_.advance(seconds(1));
  EXPECT_EQ(done.back(), "again");
  queue.shut_down(true);
  clock_.settle();
  EXPECT_EQ(group_.size(), 0U);
}

TEST_F(AsyncTest, QueueDrainsThroughSeveralWorkers) {
  AsyncQueue queue(io_, clock_, nullptr);
  std::vector<std::string> done;
  spawn(queue.run_alarms());
  for (int i = 0; i < 3; ++i) {
    spawn(work(queue, clock_, seconds(1), done));
  }
  for (int i = 0; i < 7; ++i) {
    queue.add(named(std::to_string(i)));
  }
  clock_.settle();
  queue.add(named("0"));
  queue.shut_down(true);
  clock_.advance(seconds(10));
  EXPECT_EQ(done.size(), 8U) << "an item added again while under work is drained too";
  EXPECT_EQ(group_.size(), 0U);
}

}  // namespace
}  // namespace atq::engine
