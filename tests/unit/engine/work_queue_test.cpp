#include "controller/engine/work_queue.hpp"

#include <random>

#include <gtest/gtest.h>

namespace atq::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1'000'000)};

WorkItem item(int number) {
  return {.key = {"default", "t" + std::to_string(number)}, .gone_uid = ""};
}

TEST(WorkQueue, HandsOutInOrderAndCoalesces) {
  WorkQueue queue;
  queue.add(item(2), kStart);
  queue.add(item(1), kStart);
  queue.add(item(2), kStart);
  EXPECT_EQ(queue.take(kStart), item(2));
  EXPECT_EQ(queue.take(kStart), item(1));
  EXPECT_EQ(queue.take(kStart), std::nullopt);
}

TEST(WorkQueue, ItemUnderWorkComesBackOnceDone) {
  WorkQueue queue;
  queue.add(item(1), kStart);
  ASSERT_EQ(queue.take(kStart), item(1));
  queue.add(item(1), kStart);
  queue.add(item(1), kStart);
  EXPECT_EQ(queue.take(kStart), std::nullopt) << "no second worker for an item";
  queue.done(item(1), kStart);
  EXPECT_EQ(queue.take(kStart), item(1)) << "no lost wake-up";
  queue.done(item(1), kStart);
  EXPECT_TRUE(queue.idle());
}

TEST(WorkQueue, UserEditOvertakesInitialList) {
  WorkQueue queue;
  for (int i = 0; i < 3; ++i) {
    queue.add(item(i), kStart, Priority::Low);
  }
  queue.add(item(7), kStart);
  queue.add(item(2), kStart);
  EXPECT_EQ(queue.take(kStart), item(7));
  EXPECT_EQ(queue.take(kStart), item(2));
  EXPECT_EQ(queue.take(kStart), item(0));
  EXPECT_EQ(queue.take(kStart), item(1));
  EXPECT_EQ(queue.take(kStart), std::nullopt) << "the lifted item left no place behind";
}

TEST(WorkQueue, EarliestDelayCounts) {
  WorkQueue queue;
  queue.add_at(item(1), kStart + seconds(5));
  queue.add_at(item(1), kStart + seconds(2));
  queue.add_at(item(1), kStart + seconds(9));
  EXPECT_EQ(queue.next_due(), kStart + seconds(2));
  EXPECT_EQ(queue.take(kStart + milliseconds(1999)), std::nullopt);
  EXPECT_EQ(queue.take(kStart + seconds(2)), item(1));
  EXPECT_EQ(queue.next_due(), std::nullopt);
}

TEST(WorkQueue, BackOffDoublesUpToItsCapAndIsForgotten) {
  WorkQueue queue;
  Duration expected = milliseconds(5);
  for (int i = 0; i < 40; ++i) {
    queue.retry(item(1), kStart);
    ASSERT_EQ(queue.next_due(), kStart + expected) << "after " << i << " failures";
    ASSERT_EQ(queue.take(kStart + expected), item(1));
    queue.done(item(1), kStart);
    expected = std::min<Duration>(expected * 2, seconds(1000));
  }
  queue.forget(item(1));
  queue.retry(item(1), kStart);
  EXPECT_EQ(queue.next_due(), kStart + milliseconds(5));
}

TEST(WorkQueue, ShutDownDrainsOrDrops) {
  WorkQueue drained;
  drained.add(item(1), kStart);
  drained.shut_down(true);
  drained.add(item(2), kStart);
  EXPECT_EQ(drained.take(kStart), item(1));
  EXPECT_EQ(drained.take(kStart), std::nullopt);
  EXPECT_FALSE(drained.idle());
  drained.done(item(1), kStart);
  EXPECT_TRUE(drained.idle());

  WorkQueue dropped;
  dropped.add(item(1), kStart);
  dropped.shut_down(false);
  EXPECT_EQ(dropped.take(kStart), std::nullopt);
  EXPECT_TRUE(dropped.idle());
}

/// What the queue must do, in the plainest way: lists searched from the front.
struct Model {
  std::vector<WorkItem> normal, low;  // waiting, in order
  std::set<WorkItem> working;
  std::map<WorkItem, Priority> again;  // added while under work
  std::map<WorkItem, TimePoint> delayed;

  void add(const WorkItem& it, Priority priority) {
    if (working.contains(it)) {
      const auto [pos, fresh] = again.try_emplace(it, priority);
      if (!fresh && priority == Priority::Normal) {
        pos->second = Priority::Normal;
      }
      return;
    }
    if (std::ranges::find(normal, it) != normal.end()) {
      return;
    }
    if (priority == Priority::Normal) {
      std::erase(low, it);
      normal.push_back(it);
    } else if (std::ranges::find(low, it) == low.end()) {
      low.push_back(it);
    }
  }
  void add_at(const WorkItem& it, TimePoint at) {
    const auto [pos, fresh] = delayed.try_emplace(it, at);
    pos->second = std::min(pos->second, at);
  }
  std::optional<WorkItem> take(TimePoint now) {
    std::vector<std::pair<TimePoint, WorkItem>> due;
    for (const auto& [it, at] : delayed) {
      if (at <= now) {
        due.emplace_back(at, it);
      }
    }
    std::ranges::sort(due);
    for (const auto& [at, it] : due) {
      delayed.erase(it);
      add(it, Priority::Normal);
    }
    auto& from = normal.empty() ? low : normal;
    if (from.empty()) {
      return std::nullopt;
    }
    const WorkItem first = from.front();
    from.erase(from.begin());
    working.insert(first);
    delayed.erase(first);
    return first;
  }
  void done(const WorkItem& it) {
    working.erase(it);
    if (const auto node = again.extract(it)) {
      (node.mapped() == Priority::Normal ? normal : low).push_back(it);
    }
  }
};

class Interleaving {
 public:
  explicit Interleaving(uint32_t seed) : random_(seed) {}

  void step() {
    now_ += milliseconds(pick(0, 3));
    const WorkItem it = item(pick(0, 5));
    switch (pick(0, 6)) {
      case 0:
        add(it, Priority::Normal);
        break;
      case 1:
        add(it, Priority::Low);
        break;
      case 2: {
        const TimePoint at = now_ + milliseconds(pick(0, 20));
        queue_.add_at(it, at);
        model_.add_at(it, at);
        break;
      }
      case 3:
      case 4:
        take();
        break;
      default:
        done_any();
        break;
    }
    check();
  }

  /// After the last addition everything is handed out in the end.
  void finish() {
    now_ += seconds(1);
    for (int i = 0; i < 100; ++i) {
      take();
      done_any();
    }
    check();
    ASSERT_TRUE(queue_.idle());
    ASSERT_EQ(queue_.delayed(), 0U);
  }

 private:
  int pick(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }
  void add(const WorkItem& it, Priority priority) {
    queue_.add(it, now_, priority);
    model_.add(it, priority);
  }
  void take() {
    const auto expected = model_.take(now_);
    ASSERT_EQ(queue_.take(now_), expected);
  }
  void done_any() {
    if (model_.working.empty()) {
      return;
    }
    auto it = model_.working.begin();
    std::advance(it, pick(0, static_cast<int>(model_.working.size()) - 1));
    const WorkItem chosen = *it;
    queue_.done(chosen, now_);
    model_.done(chosen);
  }
  void check() {
    ASSERT_EQ(queue_.processing(), model_.working.size());
    ASSERT_EQ(queue_.queued(), model_.normal.size() + model_.low.size());
    ASSERT_EQ(queue_.dirty(), queue_.queued() + model_.again.size());
    ASSERT_EQ(queue_.delayed(), model_.delayed.size());
  }

  std::mt19937 random_;
  WorkQueue queue_;
  Model model_;
  TimePoint now_ = kStart;
};

TEST(WorkQueue, BehavesAsTheModelUnderRandomInterleavings) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Interleaving run(seed);
    for (int i = 0; i < 400 && !::testing::Test::HasFatalFailure(); ++i) {
      run.step();
    }
    run.finish();
    ASSERT_FALSE(::testing::Test::HasFatalFailure());
  }
}

}  // namespace
}  // namespace atq::engine
