#include "controller/engine/admission.hpp"

#include <random>

#include <gtest/gtest.h>

namespace atq::engine {
namespace {

using std::chrono::seconds;

WorkItem item(const std::string& name) { return {.key = {"default", name}, .gone_uid = ""}; }
TimePoint at(int64_t second) { return TimePoint{seconds(second)}; }

TEST(Admission, GrantsUpToTheLimitInTheOrderOfQueueing) {
  Admission admission({{"lab", 2}}, 1);
  EXPECT_TRUE(admission.ticket(item("a"), "lab").granted);
  admission.update(item("a"), "lab", false, true, at(1));
  admission.update(item("b"), "lab", false, true, at(2));
  const auto refused = admission.ticket(item("c"), "lab");
  EXPECT_EQ(refused, (core::AdmissionTicket{false, 1, 2, 2}));
  admission.update(item("d"), "lab", true, false, at(3));
  admission.update(item("c"), "lab", true, false, at(4));
  EXPECT_EQ(admission.ticket(item("c"), "lab").position, 2);
  EXPECT_EQ(admission.ticket(item("new"), "lab").position, 3);
  EXPECT_TRUE(admission.ticket(item("a"), "lab").granted) << "who holds keeps";
  EXPECT_TRUE(admission.ticket(item("x"), "other").granted) << "another runtime, another line";
  admission.update(item("a"), "lab", false, false, at(1));
  EXPECT_TRUE(admission.ticket(item("d"), "lab").granted);
  EXPECT_FALSE(admission.ticket(item("c"), "lab").granted);
  EXPECT_EQ(admission.admissible("lab"), (std::vector<WorkItem>{item("d")}));
}

TEST(Admission, SameTimeGoesByKey) {
  Admission admission({}, 1);
  admission.update(item("run"), "", false, true, at(0));
  admission.update(item("b"), "", true, false, at(1));
  admission.update(item("a"), "", true, false, at(1));
  EXPECT_EQ(admission.waiting(""), (std::vector<WorkItem>{item("a"), item("b")}));
}

TEST(Admission, StatusTellsWhoHeldAndWhoWaited) {
  api::LoadTestStatus running;
  running.run.number = 3;
  running.run.queued_at = at(1);
  running.run.started_at = at(2);
  api::LoadTestStatus waiting;
  waiting.run.queued_at = at(5);
  api::LoadTestStatus waiting_again;
  waiting_again.run = {.number = 1, .queued_at = at(4), .finished_at = at(3)};
  api::LoadTestStatus finished;
  finished.run = {.number = 1, .queued_at = at(1), .finished_at = at(9)};
  Admission admission({}, 1);
  admission.seed(item("finished"), "", finished);
  admission.seed(item("waiting"), "", waiting);
  admission.seed(item("running"), "", running);
  admission.seed(item("again"), "", waiting_again);
  EXPECT_EQ(admission.running(""), 1);
  EXPECT_EQ(admission.waiting(""), (std::vector<WorkItem>{item("again"), item("waiting")}));
}

TEST(Admission, ObjectThatHasGoneHoldsItsPlaceButWaitsNoMore) {
  Admission admission({}, 1);
  const WorkItem gone{.key = {"default", "a"}, .gone_uid = "u"};
  admission.update(item("a"), "", false, true, at(1));
  admission.rename(item("a"), gone);
  EXPECT_EQ(admission.running(""), 1);
  EXPECT_FALSE(admission.ticket(item("a"), "").granted);
  admission.forget(gone);
  EXPECT_EQ(admission.running(""), 0);
  admission.update(item("b"), "", true, false, at(1));
  admission.rename(item("b"), {.key = {"default", "b"}, .gone_uid = "v"});
  EXPECT_TRUE(admission.waiting("").empty());
}

TEST(Admission, NoLimit) {
  Admission admission({{"big", 0}}, 1);
  for (int i = 0; i < 100; ++i) {
    const WorkItem each = item(std::to_string(i));
    ASSERT_TRUE(admission.ticket(each, "big").granted);
    admission.update(each, "big", false, true, at(i));
  }
  EXPECT_EQ(admission.ticket(item("x"), "big").limit, 0);
}

/// Never more than the limit, and nobody overtakes.
TEST(Admission, RandomPlay) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](int to) { return std::uniform_int_distribution<int>(0, to)(random); };
    Admission admission({}, 3);
    std::map<WorkItem, int64_t> waiting;
    std::set<WorkItem> running;
    for (int64_t time = 0; time < 300; ++time) {
      const WorkItem who = item(std::to_string(pick(15)));
      if (running.contains(who)) {
        if (pick(2) == 0) {
          admission.update(who, "", false, false, at(time));
          running.erase(who);
        }
        continue;
      }
      const bool first = !waiting.contains(who);
      const int64_t since = first ? time : waiting[who];
      const bool expected =
          static_cast<int>(running.size()) +
              std::ranges::count_if(waiting, [&](const auto& w) { return w.second < since; }) <
          3;
      ASSERT_EQ(admission.ticket(who, "").granted, expected);
      if (expected) {
        admission.update(who, "", false, true, at(since));
        waiting.erase(who);
        running.insert(who);
      } else {
        admission.update(who, "", true, false, at(since));
        waiting[who] = since;
      }
      ASSERT_LE(admission.running(""), 3);
    }
  }
}

}  // namespace
}  // namespace atq::engine
