#include "src/cli/render_describe.hpp"
#include "src/cli/render_run.hpp"
#include "src/cli/render_table.hpp"
#include "tests/unit/cli/cli_fixture.hpp"

namespace atq::cli {
namespace {

using test::at;
using test::expect_golden;
using test::finished_test;
using test::waiting_test;

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) {
    out += line + "\n";
  }
  return out;
}

TEST(LiveView, FitsTheTerminal) {
  for (const size_t width : {size_t{80}, size_t{120}}) {
    const LiveView view{.now = at(3), .width = width, .note = "Stopping gracefully"};
    const auto lines = render_live(waiting_test(), view);
    for (const auto& line : lines) {
      EXPECT_LE(display_width(line), width) << line;
    }
    expect_golden("live_waiting_" + std::to_string(width) + ".txt", joined(lines));
  }
}

TEST(LiveView, IsNeverWiderThanATinyTerminal) {
  for (size_t width = 5; width < 40; ++width) {
    for (const auto& line : render_live(waiting_test(), {.now = at(3), .width = width})) {
      EXPECT_LE(display_width(line), width);
    }
  }
}

TEST(LiveView, MarksWhatPassedAndWhatFailed) {
  expect_golden("live_passed.txt",
                joined(render_live(finished_test(api::Verdict::Passed), {.now = at(60)})));
  expect_golden("live_failed.txt",
                joined(render_live(finished_test(api::Verdict::Failed), {.now = at(60)})));
  api::LoadTest lost = waiting_test();
  lost.status.verdict = api::Verdict::Error;
  lost.status.run.collecting_at = at(4);
  lost.status.phase = api::Phase::Collecting;
  expect_golden("live_lost_in_workers.txt", joined(render_live(lost, {.now = at(5)})));
}

TEST(LiveView, TellsWhyARunHasNotBegun) {
  api::LoadTest queued = waiting_test();
  queued.status = {};
  queued.status.phase = api::Phase::Queued;
  queued.status.message = "place 2, 4 of 4 runs going";
  const auto lines = render_live(queued, {.now = at(1)});
  EXPECT_EQ(lines.front(), "checkout  locust, 3 workers  Queued: place 2, 4 of 4 runs going");
  EXPECT_EQ(lines.size(), 6U);
}

TEST(LiveView, ColoursChangeNoWidth) {
  const auto plain = render_live(finished_test(api::Verdict::Failed), {.now = at(60)});
  const auto coloured =
      render_live(finished_test(api::Verdict::Failed), {.now = at(60), .colour = true});
  ASSERT_EQ(plain.size(), coloured.size());
  for (size_t line = 0; line < plain.size(); ++line) {
    EXPECT_EQ(display_width(plain[line]), display_width(coloured[line]));
    EXPECT_EQ(plain[line].find('\x1b'), std::string::npos);
  }
  EXPECT_NE(joined(coloured).find("\x1b[31m✘"), std::string::npos);
}

TEST(PlainLine, IsThereForNewsAlone) {
  const auto before = waiting_test().status;
  auto after = before;
  EXPECT_EQ(plain_line(before, after), std::nullopt);
  after.run.stop_requested_at = at(9);
  EXPECT_EQ(plain_line(before, after), std::nullopt);
  after.workers.ready = 3;
  after.message = "delay";
  EXPECT_EQ(plain_line(before, after), "Workers: 3/3 ready: delay");
  EXPECT_EQ(plain_line(before, finished_test(api::Verdict::Passed).status),
            "Finished Passed: all thresholds hold");
}

TEST(Report, OfEachKind) {
  expect_golden("report_passed.txt",
                render_report({.test = finished_test(api::Verdict::Passed)}, false));
  RunOutcome failed{.test = finished_test(api::Verdict::Failed),
                    .failed = {{.role = core::Role::Worker,
                                .index = 2,
                                .how = "exited 1 after 400ms",
                                .last_lines = {"Traceback:", "  ModuleNotFoundError \x1b[31m"}},
                               {.role = core::Role::Master, .how = "exited 2 after 30.1s"}},
                    .folder = "data/runs/6f1b-1"};
  expect_golden("report_failed.txt", render_report(failed, false));
  EXPECT_NE(render_report(failed, true).find("\x1b[31mFailed\x1b[0m"), std::string::npos);
}

std::vector<Item> some_items() {
  Item waiting{waiting_test(), {}};
  Item failed{finished_test(api::Verdict::Failed), {}};
  failed.test.metadata.name = "a-test-of-a-longer-name";
  failed.test.metadata.ns = "shop";
  Item broken{{}, {{.path = "spec.tool", .message = "found x", .line = 4, .column = 9}}};
  broken.test.metadata.name = "broken";
  return {waiting, failed, broken};
}

TEST(Table, Narrow) {
  expect_golden("table.txt", render_table(some_items(), {.now = at(90)}) +
                                 render_issues(some_items(), {{"a.yaml", "line 3: no colon"}}));
}

TEST(Table, WideWithNamespaces) {
  expect_golden("table_wide.txt",
                render_table(some_items(), {.namespaces = true, .wide = true, .now = at(90)}));
}

TEST(Table, OfNothingIsNothing) {
  EXPECT_EQ(render_table({}, {}), "");
  EXPECT_EQ(render_issues({}, {}), "");
}

TEST(ErrorPercent, NeverHidesAFailure) {
  api::LoadTestStatus status;
  EXPECT_EQ(error_percent(status), "-");
  status.summary = api::Summary{.requests = 1'000'000, .failures = 1};
  EXPECT_EQ(error_percent(status), "<0.1");
  status.summary->failures = 15'000;
  EXPECT_EQ(error_percent(status), "1.5");
  status.summary->failures = 0;
  EXPECT_EQ(error_percent(status), "0.0");
}

TEST(Describe, HasAllSections) {
  const Item item{finished_test(api::Verdict::Failed), {}};
  const EventLine event{.warning = true,
                        .reason = "WorkerLost",
                        .message = "worker 2",
                        .count = 3,
                        .last_at = "2026-11-21T05:00:10Z"};
  expect_golden("describe.txt", render_describe(item, {event}, at(90), false));
}

TEST(Fit, CutsAtCodePoints) {
  EXPECT_EQ(fit("abcdef", 6), "abcdef");
  EXPECT_EQ(fit("abcdefg", 6), "abcde…");
  EXPECT_EQ(fit("ääääää", 3), "ää…");
  EXPECT_EQ(fit("abc", 0), "");
  EXPECT_EQ(display_width("\x1b[31mää\x1b[0m"), 2U);
}

}  // namespace
}  // namespace atq::cli
