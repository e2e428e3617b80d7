#include "src/kube/events.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/fakes/kube/clock_timing.hpp"
#include "tests/unit/kube/kube_fixture.hpp"

namespace atq::kube {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using fakes::kube::ClockTiming;

EventNote note_about(const std::string& name, const std::string& reason = "WorkerLost") {
  return {.regarding = {"atq.dev/v1alpha1", "LoadTest", "a", name, "u-" + name},
          .type = "Warning",
          .reason = reason,
          .action = "Watch",
          .note = "worker 1 is gone"};
}

class EventsTest : public KubeTest {
 protected:
  EventsTest() {
    boost::asio::co_spawn(io, recorder.run(), [this](const std::exception_ptr&) { ended = true; });
  }
  ~EventsTest() override {
    recorder.stop();
    clock.settle();
    EXPECT_TRUE(ended);
  }
  void record(const EventNote& note) {
    recorder.record(note, clock.now());
    clock.settle();
  }

  std::vector<std::string> notes;
  EventRecorder recorder{io.get_executor(),
                         *client,
                         {"atq.dev/director", "director-1"},
                         [this](const std::string& note) { notes.push_back(note); },
                         7,
                         std::make_shared<ClockTiming>(clock)};
  bool ended = false;
};

TEST_F(EventsTest, the_first_is_created_whole) {
  record(note_about("x"));
  const auto events = api.all(kEvents);
  ASSERT_EQ(events.size(), 1U);
  const Json& event = events[0];
  EXPECT_TRUE(event["metadata"]["name"].get<std::string>().starts_with("x."));
  EXPECT_EQ(event["eventTime"], "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(event["reportingController"], "atq.dev/director");
  EXPECT_EQ(event["reportingInstance"], "director-1");
  EXPECT_EQ(event["type"], "Warning");
  EXPECT_EQ(event["reason"], "WorkerLost");
  EXPECT_EQ(event["action"], "Watch");
  EXPECT_EQ(event["note"], "worker 1 is gone");
  EXPECT_EQ(event["regarding"], Json::parse(R"({"apiVersion":"atq.dev/v1alpha1","kind":"LoadTest",
      "namespace":"a","name":"x","uid":"u-x"})"));
  EXPECT_FALSE(event.contains("series"));
}

TEST_F(EventsTest, repeats_are_a_series_told_at_the_second_after_30_minutes_and_at_the_end) {
  record(note_about("x"));
  clock.advance(1s);
  record(note_about("x"));
  EXPECT_EQ(api.all(kEvents).at(0)["series"],
            Json::parse(R"({"count":2,"lastObservedTime":"2026-01-01T00:00:01.000000Z"})"));
  for (int i = 0; i < 70; ++i) {
    clock.advance(30s);
    record(note_about("x"));
  }
  EXPECT_EQ(api.count("POST"), 1U);
  EXPECT_EQ(api.count("PATCH"), 2U) << "35 minutes: one refresh";
  clock.advance(10min);
  EXPECT_EQ(api.all(kEvents).at(0)["series"]["count"], 72);
  EXPECT_EQ(api.count("PATCH"), 3U);
  record(note_about("x"));
  EXPECT_EQ(api.all(kEvents).size(), 2U) << "a new one, as the series has ended";
}

TEST_F(EventsTest, other_reasons_and_objects_are_other_events) {
  record(note_about("x"));
  record(note_about("x", "MasterLost"));
  record(note_about("y"));
  EXPECT_EQ(api.all(kEvents).size(), 3U);
}

TEST_F(EventsTest, a_series_whose_event_is_gone_is_created_anew) {
  record(note_about("x"));
  api.erase(kEvents, "a", api.all(kEvents).at(0)["metadata"]["name"]);
  record(note_about("x"));
  const auto events = api.all(kEvents);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]["series"]["count"], 2);
}

TEST_F(EventsTest, tries_twelve_times_about_ten_seconds_apart) {
  api.fail_next({.method = "POST", .times = 11});
  record(note_about("x"));
  clock.advance(11 * 7500ms);
  EXPECT_TRUE(api.all(kEvents).empty());
  clock.advance(11 * 5s);
  EXPECT_EQ(api.all(kEvents).size(), 1U);
  api.fail_next({.method = "POST", .times = 12});
  record(note_about("y"));
  clock.advance(5min);
  EXPECT_EQ(api.all(kEvents).size(), 1U);
  EXPECT_EQ(recorder.counts().dropped, 1U);
  ASSERT_EQ(notes.size(), 1U);
}

TEST_F(EventsTest, a_lost_answer_makes_no_second_event) {
  api.fail_next({.method = "POST", .after_effect = true});
  record(note_about("x"));
  clock.advance(1min);
  EXPECT_EQ(api.all(kEvents).size(), 1U);
  EXPECT_EQ(recorder.counts().written, 1U);
}

TEST_F(EventsTest, what_the_server_refuses_is_dropped_at_once) {
  api.fail_next({.method = "POST", .status = 403, .reason = "Forbidden"});
  record(note_about("x"));
  EXPECT_EQ(recorder.counts().dropped, 1U);
  record(note_about("x"));
  EXPECT_EQ(api.all(kEvents).size(), 1U);
}

TEST_F(EventsTest, a_full_queue_drops_and_says_so_once) {
  api.fail_next({.method = "POST", .hang = true});
  for (int i = 0; i < 1100; ++i) {
    record(note_about("x" + std::to_string(i)));
  }
  EXPECT_EQ(recorder.counts().dropped, 1100U - EventSeries::kQueue - 1);
  EXPECT_EQ(notes.size(), 1U);
  clock.advance(1min);
  EXPECT_EQ(api.all(kEvents).size(), EventSeries::kQueue + 1);
}

TEST(EventSeries, bounds_what_it_writes_and_what_it_keeps) {
  EventSeries series({"atq.dev/director", "i"});
  EventNote large = note_about(std::string(253, 'n'), std::string(300, 'r'));
  large.note = std::string(5000, 't');
  ASSERT_TRUE(series.observe(large, TimePoint{}, 0s));
  const auto write = series.next(0s);
  ASSERT_TRUE(write);
  const Json body = Json::parse(write->body);
  EXPECT_LE(write->name.size(), 253U);
  EXPECT_LE(body["note"].get<std::string>().size(), 1024U);
  EXPECT_LE(body["reason"].get<std::string>().size(), 128U);
  EXPECT_FALSE(series.next(0s)) << "one at a time";
  series.done(EventSeries::Outcome::Written);
  for (size_t i = 0; i < 2 * EventSeries::kKept; ++i) {
    series.observe(note_about(std::to_string(i)), TimePoint{}, 0s);
    while (series.next(0s)) {
      series.done(EventSeries::Outcome::Written);
    }
  }
  EXPECT_EQ(series.kept(), EventSeries::kKept);
  series.sweep(EventSeries::kFinishedAfter);
  EXPECT_EQ(series.kept(), 0U);
}

TEST(EventSeries, a_repeat_during_the_create_begins_the_series_after_it) {
  EventSeries series({"atq.dev/director", "i"});
  series.observe(note_about("x"), TimePoint{}, 0s);
  ASSERT_TRUE(series.next(0s));
  series.observe(note_about("x"), TimePoint{}, 1s);
  series.done(EventSeries::Outcome::Written);
  const auto patch = series.next(1s);
  ASSERT_TRUE(patch);
  EXPECT_FALSE(patch->create);
  EXPECT_EQ(Json::parse(patch->body)["series"]["count"], 2);
}

TEST(EventSeries, an_object_of_no_namespace_has_its_events_in_default) {
  EventSeries series({"atq.dev/director", "i"});
  EventNote note = note_about("x");
  note.regarding.ns.clear();
  series.observe(note, TimePoint{}, 0s);
  EXPECT_EQ(series.next(0s)->ns, "default");
}

}  // namespace
}  // namespace atq::kube
