#include "src/kube/reflector.hpp"

#include <gtest/gtest.h>

#include "tests/unit/kube/reflector_fixture.hpp"

namespace atq::kube {
namespace {

using namespace std::chrono_literals;
using fakes::kube::StreamFault;

/// Every test of it runs with a streaming list and with pages.
class ReflectorTest : public ::testing::TestWithParam<bool> {
 protected:
  bool streaming() const { return GetParam(); }
  ListWatch what() const { return {.resource = kConfigMaps, .streaming_list = streaming()}; }
  void start() {
    for (int i = 0; i < 3; ++i) {
      rig.put("c" + std::to_string(i), "first");
    }
    rig.start();
    ASSERT_TRUE(rig.agrees_within(1s));
  }
  ReflectorRig rig{what()};
};

INSTANTIATE_TEST_SUITE_P(Lists, ReflectorTest, ::testing::Values(false, true),
                         [](const auto& suite) { return suite.param ? "streamed" : "paged"; });

TEST_P(ReflectorTest, lists_and_follows) {
  start();
  EXPECT_EQ(rig.api.count("GET", "/configmaps"), streaming() ? 0U : 1U);
  rig.put("c1", "second");
  rig.put("new", "x");
  rig.api.erase(kConfigMaps, "a", "c0");
  EXPECT_TRUE(rig.agrees_within(0s));
  EXPECT_EQ(rig.sink.replaced, 1);
  rig.clock.advance(2h);
  EXPECT_TRUE(rig.agree());
  EXPECT_EQ(rig.sink.replaced, 1) << "the server ends watches, which is no reason to list";
  EXPECT_GE(rig.reflector.counts().restarts, 2h / 600s);
  EXPECT_EQ(rig.reflector.counts().relists, 0U);
  rig.stop();
  ASSERT_TRUE(rig.result && *rig.result);
}

TEST_P(ReflectorTest, an_empty_kind_is_synced) {
  rig.start();
  EXPECT_TRUE(rig.agrees_within(0s));
  EXPECT_EQ(rig.sink.replaced, 1);
}

TEST_P(ReflectorTest, gone_events_begin_a_list_that_finds_what_vanished) {
  start();
  rig.api.partition("test", true);
  rig.put("c1", "second");
  rig.api.erase(kConfigMaps, "a", "c0");
  rig.api.state().compact(rig.api.state().version());
  rig.clock.advance(1h);
  rig.api.partition("test", false);
  rig.put("c2", "third");
  EXPECT_TRUE(rig.agrees_within(2min));
  EXPECT_EQ(rig.reflector.counts().relists, 1U);
  EXPECT_FALSE(rig.sink.objects.contains("a/c0"));
}

TEST_P(ReflectorTest, gone_as_an_answer_begins_a_list_of_the_newest) {
  start();
  rig.api.fail_next({.method = "WATCH", .status = 410, .reason = "Expired"});
  rig.api.fail_stream({.kind = StreamFault::Kind::Cut});
  rig.clock.advance(20min);
  rig.put("c1", "second");
  EXPECT_TRUE(rig.agrees_within(2min));
  EXPECT_GE(rig.sink.replaced, 2);
}

TEST_P(ReflectorTest, half_an_event_loses_nothing_and_needs_no_list) {
  rig.api.set_bookmark_every(0s);
  start();
  rig.api.fail_stream({.kind = StreamFault::Kind::HalfFrame});
  rig.clock.advance(101s);  // the next watch has the fault
  rig.put("c1", "second");
  rig.clock.settle();
  EXPECT_FALSE(rig.agree());
  EXPECT_TRUE(rig.agrees_within(2s));
  EXPECT_EQ(rig.sink.replaced, 1);
}

TEST_P(ReflectorTest, silence_is_death_after_a_hundred_seconds) {
  rig.api.set_bookmark_every(0s);
  start();
  rig.api.fail_stream({.kind = StreamFault::Kind::Silent});
  rig.clock.advance(10min);
  rig.put("c1", "second");
  EXPECT_TRUE(rig.agrees_within(100s + 2s));
  EXPECT_EQ(rig.sink.replaced, 1);
}

TEST_P(ReflectorTest, who_waits_for_changes_has_a_silent_stream_opened_anew) {
  rig.api.set_bookmark_every(0s);
  start();
  rig.api.fail_stream({.kind = StreamFault::Kind::Silent});
  rig.clock.advance(101s);  // the next watch has the fault
  rig.put("c1", "second");
  rig.reflector.refresh();
  EXPECT_FALSE(rig.agrees_within(10s)) << "it has not been silent for long";
  rig.clock.advance(11s);
  rig.reflector.refresh();
  EXPECT_TRUE(rig.agrees_within(1s));
  EXPECT_EQ(rig.sink.replaced, 1);
}

TEST_P(ReflectorTest, events_that_are_no_json_begin_a_list_and_unknown_ones_are_passed_over) {
  start();
  rig.api.fail_stream({.kind = StreamFault::Kind::Unknown});
  rig.clock.advance(10min);
  rig.put("c1", "second");
  EXPECT_TRUE(rig.agrees_within(0s));
  EXPECT_EQ(rig.reflector.counts().skipped, 2U);
  EXPECT_EQ(rig.sink.replaced, 1);
  rig.api.fail_stream({.kind = StreamFault::Kind::Garbage});
  rig.clock.advance(10min);
  rig.put("c1", "third");
  EXPECT_TRUE(rig.agrees_within(3s));
  EXPECT_EQ(rig.sink.replaced, 2);
  ASSERT_FALSE(rig.notes.empty());
  EXPECT_TRUE(rig.notes.back().starts_with("watch of configmaps: ")) << rig.notes.back();
  EXPECT_TRUE(rig.notes.back().contains("(again in ")) << rig.notes.back();
}

TEST_P(ReflectorTest, waits_and_silent_streams_end_at_stop) {
  rig.api.fail_next({.times = 1000});
  rig.start();
  rig.clock.advance(1min);
  EXPECT_FALSE(rig.reflector.synced());
  EXPECT_GE(rig.notes.size(), 3U);
  rig.stop();
  EXPECT_TRUE(rig.result && *rig.result);
}

TEST_P(ReflectorTest, a_stopped_client_ends_it) {
  start();
  rig.client->stop();
  rig.clock.settle();
  ASSERT_TRUE(rig.result);
  EXPECT_EQ(rig.result->error().kind, ErrorKind::Canceled);
}

TEST_P(ReflectorTest, a_refused_first_list_is_said_to_the_caller) {
  for (const bool never : {true, false}) {
    ReflectorRig other(what());
    other.api.fail_next(
        {.times = never ? 100 : 1, .status = 403, .reason = "Forbidden", .delay = 1s});
    other.start();
    other.clock.advance(1min);
    if (never || !streaming()) {
      ASSERT_TRUE(other.result);
      EXPECT_EQ(other.result->error().kind, ErrorKind::Forbidden);
      EXPECT_TRUE(other.result->error().message.contains("list of configmaps"));
    } else {
      EXPECT_TRUE(other.agree()) << "the list has the last word";
    }
  }
}

TEST_P(ReflectorTest, an_old_server_gets_pages) {
  rig.api.set_streaming_lists(false);
  start();
  EXPECT_EQ(rig.api.count("GET", "/configmaps"), 1U);
  rig.put("c1", "second");
  EXPECT_TRUE(rig.agrees_within(0s));
}

TEST_P(ReflectorTest, the_server_selects) {
  ListWatch selected = what();
  selected.ns = "a";
  selected.label_selector = "app=x";
  ReflectorRig other(selected);
  other.put("mine", "1", {{"app", "x"}});
  other.put("foreign", "1");
  other.api.put(kConfigMaps, "b", {{"metadata", {{"name", "n"}, {"labels", {{"app", "x"}}}}}});
  other.start();
  ASSERT_EQ(other.sink.objects.size(), 1U);
  EXPECT_TRUE(other.sink.objects.contains("a/mine"));
  other.put("foreign", "2");
  other.put("mine", "2", {{"app", "y"}});
  other.clock.settle();
  EXPECT_TRUE(other.sink.objects.empty()) << "what is no longer selected is gone";
}

TEST_P(ReflectorTest, what_nobody_reads_is_dropped) {
  rig.api.put(kConfigMaps, "a",
              {{"metadata", {{"name", "x"}, {"managedFields", Json::array({1, 2})}}}});
  rig.start();
  const auto& object = rig.sink.objects.at("a/x");
  EXPECT_FALSE(object.at("metadata").contains("managedFields"));
  EXPECT_EQ(object.at("kind"), "ConfigMap");
  EXPECT_EQ(object.at("apiVersion"), "v1");
}

TEST_P(ReflectorTest, too_large_an_event_begins_a_list_and_too_large_an_object_never_syncs) {
  ListWatch bounded = what();
  bounded.max_object_bytes = 1000;
  ReflectorRig other(bounded);
  other.put("x", "small");
  other.start();
  ASSERT_TRUE(other.agree());
  other.put("x", std::string(1000, 'l'));
  other.clock.advance(1min);
  EXPECT_FALSE(other.agree());
  ASSERT_FALSE(other.notes.empty());
  EXPECT_TRUE(other.notes.front().contains("more than 1000 bytes")) << other.notes.front();
  other.put("x", "small again");
  EXPECT_TRUE(other.agrees_within(2min));
}

TEST(Reflector, pages_are_followed_and_a_stale_token_gives_one_whole_list) {
  for (const bool stale : {false, true}) {
    ReflectorRig rig({.resource = kConfigMaps, .streaming_list = false});
    for (int i = 0; i < 1200; ++i) {
      rig.put("c" + std::to_string(i), "x");
    }
    // Only a list of the newest comes in pages: the first one from the cache is refused.
    rig.api.fail_next({.method = "GET", .status = 410, .reason = "Expired"});
    if (stale) {
      rig.api.fail_next({.method = "GET", .path = "continue=", .status = 410, .reason = "Expired"});
    }
    rig.start();
    ASSERT_TRUE(rig.agrees_within(10s));
    EXPECT_EQ(rig.api.count("GET", "continue="), stale ? 1U : 2U);
    EXPECT_EQ(rig.sink.replaced, 1);
  }
}

}  // namespace
}  // namespace atq::kube
