#include "src/kube/watch_machine.hpp"

#include <gtest/gtest.h>

#include "src/kube/resource_version.hpp"
#include "src/kube/status.hpp"

namespace atq::kube {
namespace {

using namespace std::chrono_literals;

const Error kGone{ErrorKind::Gone, "too old (410 Expired)", std::nullopt};
const Error kRefused{ErrorKind::Unavailable, "refused", std::nullopt};

class WatchMachineTest : public ::testing::Test {
 protected:
  /// The next step that is no wait; the wait before it is kept.
  WatchMachineStep next() {
    waited = Duration::zero();
    auto step = machine.next(0.5, now);
    while (const auto* wait = std::get_if<WaitStep>(&step)) {
      waited += wait->time;
      now += wait->time;
      step = machine.next(0.5, now);
    }
    return step;
  }
  ListStep next_list() {
    auto step = next();
    EXPECT_TRUE(std::holds_alternative<ListStep>(step)) << step.index();
    return std::holds_alternative<ListStep>(step) ? std::get<ListStep>(step) : ListStep{};
  }
  WatchStep next_watch() {
    auto step = next();
    EXPECT_TRUE(std::holds_alternative<WatchStep>(step)) << step.index();
    return std::holds_alternative<WatchStep>(step) ? std::get<WatchStep>(step) : WatchStep{};
  }
  void sync(const std::string& version) {
    next_list();
    ASSERT_TRUE(machine.on_page(version, ""));
  }
  EventEffect event(std::string_view type, std::string_view version) {
    return machine.on_event({.type = type, .version = version});
  }
  void use_streaming() { machine = WatchMachine(true); }

  WatchMachine machine{false};
  Duration now = 1h;
  Duration waited{0};
};

// A1.1
TEST_F(WatchMachineTest, the_first_list_takes_any_version_and_a_later_one_no_older_than_seen) {
  EXPECT_EQ(next_list().version, "0");
  EXPECT_TRUE(machine.on_page("7", ""));
  EXPECT_EQ(next_watch().version, "7");
  EXPECT_EQ(event("MODIFIED", "9"), EventEffect::Upsert);
  machine.on_stream_end(fail(ErrorKind::Invalid, "what"), 5s);
  const ListStep relist = next_list();
  EXPECT_EQ(relist.version, "9");
  EXPECT_EQ(relist.limit, 0U) << "a limit would go past the watch cache";
  EXPECT_EQ(machine.relists(), 1U);
}

TEST_F(WatchMachineTest, after_gone_the_list_asks_for_the_newest_until_it_succeeds) {
  sync("7");
  next_watch();
  machine.on_stream_end(std::unexpected(kGone), 5s);
  EXPECT_EQ(next_list().version, "");
  machine.on_list_error(kRefused);
  const ListStep again = next_list();
  EXPECT_EQ(again.version, "");
  EXPECT_EQ(again.limit, WatchMachine::kPage);
  EXPECT_TRUE(machine.on_page("20", ""));
  next_watch();
  machine.on_stream_end(fail(ErrorKind::Invalid, "what"), 5s);
  EXPECT_EQ(next_list().version, "20") << "success clears it";
}

TEST_F(WatchMachineTest, a_list_that_is_gone_or_too_new_is_asked_again_at_once_then_with_waits) {
  for (const Error& error :
       {kGone, error_of(504, R"({"kind":"Status","message":"Too large resource version: 9"})")}) {
    machine = WatchMachine(false);
    sync("7");
    next_watch();
    machine.on_stream_end(fail(ErrorKind::Invalid, "what"), 5s);
    EXPECT_EQ(next_list().version, "7");
    machine.on_list_error(error);
    EXPECT_EQ(next_list().version, "");
    EXPECT_EQ(waited, 0s);
    machine.on_list_error(error);
    EXPECT_EQ(next_list().version, "");
    EXPECT_GT(waited, 0s);
  }
}

TEST_F(WatchMachineTest, a_version_that_the_server_never_reaches_is_given_up) {
  sync("7");
  next_watch();
  machine.on_stream_end(fail(ErrorKind::Invalid, "what"), 5s);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(next_list().version, "7");
    machine.on_list_error({ErrorKind::Timeout, "no answer in time", std::nullopt});
  }
  EXPECT_EQ(next_list().version, "");
}

// A1.2
TEST_F(WatchMachineTest, gone_as_an_event_is_as_gone_as_an_answer) {
  sync("7");
  next_watch();
  EXPECT_EQ(event("ERROR", ""), EventEffect::EndStream);
  machine.on_error_event(kGone);
  machine.on_stream_end({}, 5s);
  EXPECT_EQ(next_list().version, "");
}

// A1.3
TEST_F(WatchMachineTest, pages_follow_the_token_and_count_as_one_snapshot) {
  EXPECT_EQ(next_list().limit, WatchMachine::kPage);
  EXPECT_FALSE(machine.on_page("7", "t1"));
  EXPECT_FALSE(machine.synced());
  const ListStep second = next_list();
  EXPECT_EQ(second.token, "t1");
  EXPECT_EQ(second.version, "") << "the token has the version";
  EXPECT_FALSE(second.first);
  EXPECT_TRUE(machine.on_page("8", ""));
  EXPECT_TRUE(machine.synced());
  EXPECT_EQ(next_watch().version, "7");
}

TEST_F(WatchMachineTest, a_token_that_went_stale_gives_one_whole_list_of_the_newest) {
  next_list();
  machine.on_page("7", "t1");
  next_list();
  machine.on_list_error(kGone);
  const ListStep whole = next_list();
  EXPECT_TRUE(whole.first);
  EXPECT_EQ(whole.limit, 0U);
  EXPECT_EQ(whole.version, "");
  EXPECT_EQ(waited, 0s);
}

TEST_F(WatchMachineTest, another_error_on_a_later_page_begins_the_list_anew) {
  next_list();
  machine.on_page("7", "t1");
  next_list();
  machine.on_list_error(kRefused);
  const ListStep again = next_list();
  EXPECT_TRUE(again.first);
  EXPECT_EQ(again.token, "");
  EXPECT_EQ(again.limit, WatchMachine::kPage);
  EXPECT_GT(waited, 0s);
}

// A1.4
TEST_F(WatchMachineTest, the_timeout_of_a_watch_is_spread_over_300_to_600_s) {
  sync("7");
  for (const auto& [random, seconds] : {std::pair{0.0, 300s}, {0.5, 450s}, {0.9999, 599s}}) {
    EXPECT_EQ(std::get<WatchStep>(machine.next(random, now)).timeout, seconds);
  }
}

TEST_F(WatchMachineTest, a_watch_that_somebody_waits_for_is_short_and_no_silence_is_long) {
  sync("7");
  for (const auto& [random, seconds] : {std::pair{0.0, 20s}, {0.9999, 29s}}) {
    const auto step = std::get<WatchStep>(machine.next(random, now, true));
    EXPECT_EQ(step.timeout, seconds);
    EXPECT_EQ(step.silence, seconds + WatchMachine::kIdleMargin);
  }
  EXPECT_EQ(std::get<WatchStep>(machine.next(0.5, now)).silence, 100s)
      << "a bookmark is sent a minute";
}

TEST_F(WatchMachineTest, one_that_lived_and_went_silent_is_gone_on_from_at_once) {
  sync("7");
  next_watch();
  machine.on_stream_end(fail(ErrorKind::Timeout, "no word in time"), 25s);
  EXPECT_EQ(next_watch().version, "7");
  EXPECT_EQ(waited, 0s);
  EXPECT_EQ(machine.relists(), 0U);
}

TEST_F(WatchMachineTest, every_kind_of_event_moves_the_version_on) {
  sync("7");
  next_watch();
  EXPECT_EQ(event("ADDED", "8"), EventEffect::Upsert);
  EXPECT_EQ(machine.version(), "8");
  EXPECT_EQ(event("MODIFIED", "9"), EventEffect::Upsert);
  EXPECT_EQ(machine.version(), "9");
  EXPECT_EQ(event("DELETED", "10"), EventEffect::Remove);
  EXPECT_EQ(machine.version(), "10");
  EXPECT_EQ(event("BOOKMARK", "200"), EventEffect::Nothing);
  EXPECT_EQ(machine.version(), "200");
}

TEST_F(WatchMachineTest, synthetic_events_at_the_begin_of_a_watch_are_in_no_order) {
  sync("0");
  EXPECT_EQ(next_watch().version, "0");
  EXPECT_EQ(event("ADDED", "90"), EventEffect::Upsert);
  EXPECT_EQ(event("ADDED", "40"), EventEffect::Upsert);
  EXPECT_EQ(machine.version(), "0");
  EXPECT_EQ(event("MODIFIED", "91"), EventEffect::Upsert);
  EXPECT_EQ(machine.version(), "91");
  EXPECT_EQ(event("ADDED", "92"), EventEffect::Upsert);
  EXPECT_EQ(machine.version(), "92");
}

TEST_F(WatchMachineTest, duplicate_and_late_events_do_not_turn_time_back) {
  sync("99");
  next_watch();
  EXPECT_EQ(event("MODIFIED", "100"), EventEffect::Upsert);
  EXPECT_EQ(event("MODIFIED", "100"), EventEffect::Nothing);
  EXPECT_EQ(event("DELETED", "99"), EventEffect::Nothing);
  EXPECT_EQ(event("BOOKMARK", "9"), EventEffect::Nothing);
  EXPECT_EQ(machine.version(), "100");
  EXPECT_EQ(machine.skipped(), 2U);
}

// A1.5
TEST_F(WatchMachineTest, a_clean_end_is_gone_on_from_without_a_list_or_a_wait) {
  sync("7");
  next_watch();
  event("MODIFIED", "9");
  machine.on_stream_end({}, 400s);
  EXPECT_EQ(next_watch().version, "9");
  EXPECT_EQ(waited, 0s);
  EXPECT_EQ(machine.restarts(), 1U);
  EXPECT_EQ(machine.relists(), 0U);
}

TEST_F(WatchMachineTest, refused_throttled_silent_and_broken_wait_and_go_on_without_a_list) {
  for (const auto kind : {ErrorKind::Unavailable, ErrorKind::Throttled, ErrorKind::Timeout}) {
    machine = WatchMachine(false);
    sync("7");
    next_watch();
    machine.on_stream_end(fail(kind, "x"), 0s);
    EXPECT_EQ(next_watch().version, "7");
    EXPECT_EQ(waited, 1200ms) << "800 ms and half as much";
  }
}

TEST_F(WatchMachineTest, a_watch_that_worked_and_broke_is_gone_on_from_without_a_wait) {
  sync("7");
  next_watch();
  event("MODIFIED", "9");
  machine.on_stream_end(fail(ErrorKind::Unavailable, "the connection broke"), 1s);
  EXPECT_EQ(next_watch().version, "9");
  EXPECT_EQ(waited, 0s);
  event("MODIFIED", "10");
  machine.on_stream_end(fail(ErrorKind::Unavailable, "the connection broke"), 999ms);
  EXPECT_EQ(next_watch().version, "10");
  EXPECT_GT(waited, 0s) << "very short";
  EXPECT_EQ(machine.relists(), 0U);
}

TEST_F(WatchMachineTest, the_server_says_how_long_to_wait) {
  sync("7");
  next_watch();
  Error error{ErrorKind::Throttled, "later", std::chrono::seconds{20}};
  machine.on_stream_end(std::unexpected(error), 0s);
  next_watch();
  EXPECT_EQ(waited, 20s);
  error.retry_after = std::chrono::hours{100};
  machine.on_stream_end(std::unexpected(error), 0s);
  next_watch();
  EXPECT_EQ(waited, 5min) << "bounded";
}

TEST_F(WatchMachineTest, a_watch_that_never_works_ends_in_a_list) {
  sync("7");
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(next_watch().version, "7");
    machine.on_stream_end(std::unexpected(kRefused), 0s);
  }
  next_watch();
  machine.on_stream_end(std::unexpected(kRefused), 0s);
  EXPECT_EQ(next_list().version, "7");
}

TEST_F(WatchMachineTest, a_very_short_watch_without_events_is_an_error) {
  sync("7");
  next_watch();
  machine.on_stream_end({}, 999ms);
  next_list();
  EXPECT_GT(waited, 0s);
}

TEST_F(WatchMachineTest, a_very_short_watch_with_events_waits_but_does_not_list) {
  sync("7");
  next_watch();
  event("BOOKMARK", "8");
  machine.on_stream_end({}, 999ms);
  EXPECT_EQ(next_watch().version, "8");
  EXPECT_GT(waited, 0s);
}

TEST_F(WatchMachineTest, a_stream_that_cannot_be_read_ends_in_a_list) {
  sync("7");
  next_watch();
  machine.on_stream_end(fail(ErrorKind::Internal, "an event has more than 8 MiB"), 100s);
  EXPECT_EQ(next_list().version, "7");
}

// A1.6
TEST_F(WatchMachineTest, waits_double_to_30_s_with_jitter_and_begin_anew_after_two_minutes) {
  WatchBackoff backoff;
  for (const Duration base : {800ms, 1600ms, 3200ms, 6400ms, 12800ms, 25600ms, 30000ms, 30000ms}) {
    const Duration wait = backoff.next(0.25, now);
    EXPECT_EQ(wait, base + base / 4);
    now += wait;
  }
  EXPECT_EQ(backoff.next(1.0, now), 60s);
  EXPECT_EQ(backoff.next(0.0, now + 2min + 1us), 800ms);
}

TEST_F(WatchMachineTest, a_dead_server_gets_few_requests) {
  int requests = 0;
  const Duration end = now + 10min;
  while (now < end) {
    next_list();
    machine.on_list_error(kRefused);
    ++requests;
  }
  EXPECT_LT(requests, 0.22 * 600);
}

// A1.8
TEST_F(WatchMachineTest, a_streaming_list_is_whole_at_its_bookmark_and_the_stream_goes_on) {
  use_streaming();
  const WatchStep first = next_watch();
  EXPECT_TRUE(first.initial_events);
  EXPECT_EQ(first.version, "");
  EXPECT_EQ(event("ADDED", "90"), EventEffect::ReplaceAdd);
  EXPECT_EQ(event("ADDED", "40"), EventEffect::ReplaceAdd);
  EXPECT_EQ(event("BOOKMARK", "95"), EventEffect::Nothing) << "not yet the end";
  EXPECT_EQ(event("MODIFIED", "96"), EventEffect::ReplaceAdd);
  EXPECT_EQ(event("DELETED", "97"), EventEffect::Remove);
  EXPECT_FALSE(machine.synced());
  EXPECT_EQ(machine.version(), "");
  EXPECT_EQ(machine.on_event({.type = "BOOKMARK", .version = "98", .initial_events_end = true}),
            EventEffect::ReplaceEnd);
  EXPECT_TRUE(machine.synced());
  EXPECT_EQ(event("MODIFIED", "99"), EventEffect::Upsert);
  machine.on_stream_end({}, 400s);
  const WatchStep second = next_watch();
  EXPECT_FALSE(second.initial_events);
  EXPECT_EQ(second.version, "99");
}

TEST_F(WatchMachineTest, a_server_without_streaming_lists_gets_pages_for_good) {
  use_streaming();
  next_watch();
  machine.on_stream_end(fail(ErrorKind::Invalid, "sendInitialEvents is forbidden"), 0s);
  EXPECT_EQ(next_list().version, "0");
  EXPECT_EQ(waited, 0s);
  machine.on_page("7", "");
  next_watch();
  machine.on_stream_end(std::unexpected(kGone), 5s);
  EXPECT_EQ(next_list().version, "");
}

TEST_F(WatchMachineTest, a_streaming_list_that_breaks_thrice_is_replaced_by_pages_once) {
  use_streaming();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(next_watch().initial_events);
    event("ADDED", "40");
    machine.on_stream_end({}, 5s);
  }
  EXPECT_EQ(next_list().version, "0");
  EXPECT_GT(waited, 0s);
  machine.on_page("100", "");
  next_watch();
  machine.on_stream_end(std::unexpected(kGone), 5s);
  const WatchStep again = next_watch();
  EXPECT_TRUE(again.initial_events);
  EXPECT_EQ(again.version, "") << "the newest, after a 410";
}

TEST_F(WatchMachineTest, a_streaming_relist_is_not_older_than_seen) {
  use_streaming();
  next_watch();
  machine.on_event({.type = "BOOKMARK", .version = "98", .initial_events_end = true});
  machine.on_stream_end(fail(ErrorKind::Internal, "broken"), 5s);
  const WatchStep again = next_watch();
  EXPECT_TRUE(again.initial_events);
  EXPECT_EQ(again.version, "98");
}

// A1.10
TEST_F(WatchMachineTest, unknown_events_and_objects_without_metadata_are_passed_over_and_counted) {
  sync("7");
  next_watch();
  EXPECT_EQ(event("FROBNICATED", "8"), EventEffect::Nothing);
  EXPECT_EQ(event("ADDED", ""), EventEffect::Nothing);
  EXPECT_EQ(event("BOOKMARK", ""), EventEffect::Nothing);
  EXPECT_EQ(machine.skipped(), 3U);
  EXPECT_EQ(machine.version(), "7");
}

// A1.12
TEST_F(WatchMachineTest, versions_that_are_no_numbers_are_unknown_and_not_less) {
  sync("abc");
  next_watch();
  EXPECT_EQ(event("MODIFIED", "abb"), EventEffect::Upsert);
  EXPECT_EQ(machine.version(), "abb");
  EXPECT_EQ(event("MODIFIED", "010"), EventEffect::Upsert);
}

TEST_F(WatchMachineTest, a_first_list_that_is_refused_ends_it_and_a_later_one_waits) {
  for (const auto kind : {ErrorKind::Forbidden, ErrorKind::Unauthorized, ErrorKind::NotFound}) {
    use_streaming();
    next_watch();
    machine.on_stream_end(fail(kind, "no"), 0s);
    next_list();
    machine.on_list_error({kind, "no", std::nullopt});
    const auto step = next();
    ASSERT_TRUE(std::holds_alternative<FailStep>(step));
    EXPECT_EQ(std::get<FailStep>(step).error.kind, kind);

    machine = WatchMachine(false);
    sync("7");
    next_watch();
    machine.on_stream_end(fail(kind, "no"), 0s);
    next_list();
    EXPECT_GT(waited, 0s);
    machine.on_list_error({kind, "no", std::nullopt});
    next_list();
    EXPECT_GT(waited, 0s);
  }
}

TEST(ResourceVersion, numbers_compare_and_all_else_is_unknown) {
  EXPECT_EQ(compare_versions("9", "10"), std::strong_ordering::less);
  EXPECT_EQ(compare_versions("10", "10"), std::strong_ordering::equal);
  EXPECT_EQ(compare_versions("340282366920938463463374607431768211455", "11"),
            std::strong_ordering::greater);
  EXPECT_EQ(compare_versions("010", "9"), std::nullopt);
  EXPECT_EQ(compare_versions("", "9"), std::nullopt);
  EXPECT_EQ(compare_versions("9", "x"), std::nullopt);
}

}  // namespace
}  // namespace atq::kube
