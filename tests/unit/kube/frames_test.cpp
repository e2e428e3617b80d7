#include "src/kube/frames.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/kube/ingest.hpp"

namespace atq::kube {
namespace {

struct Taken {
  std::vector<std::string> texts;
  FrameSink sink = [this](std::string_view text) {
    texts.emplace_back(text);
    return texts.size() < wanted;
  };
  size_t wanted = SIZE_MAX;
};

/// In pieces of every size.
template <class Splitter>
Result<void> feed(Splitter& splitter, std::string_view text, size_t step, const FrameSink& sink) {
  Result<void> result;
  for (size_t at = 0; at < text.size() && result; at += step) {
    result = splitter.feed(text.substr(at, step), sink);
  }
  return result;
}

TEST(LineSplitter, pieces_are_no_events) {
  const std::string text = "{\"a\":1}\n\r\n  {\"b\":2}\r\n{\"c\"";
  for (size_t step = 1; step <= text.size(); ++step) {
    LineSplitter splitter(100);
    Taken taken;
    ASSERT_TRUE(feed(splitter, text, step, taken.sink));
    EXPECT_EQ(taken.texts, (std::vector<std::string>{"{\"a\":1}", "  {\"b\":2}\r"})) << step;
    EXPECT_TRUE(splitter.has_rest());
  }
}

TEST(LineSplitter, too_long_a_line_gives_nothing_more) {
  for (const size_t step : {1UL, 7UL, 100UL}) {
    LineSplitter splitter(5);
    Taken taken;
    EXPECT_TRUE(feed(splitter, "12345\n", step, taken.sink));
    const auto result = feed(splitter, "123456\n1\n", step, taken.sink);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::Invalid);
    EXPECT_TRUE(splitter.ended());
    EXPECT_TRUE(splitter.feed("1\n", taken.sink));
    EXPECT_EQ(taken.texts.size(), 1U);
  }
}

TEST(LineSplitter, the_reader_may_end_it) {
  LineSplitter splitter(100);
  Taken taken;
  taken.wanted = 1;
  EXPECT_TRUE(splitter.feed("1\n2\n3", taken.sink));
  EXPECT_EQ(taken.texts.size(), 1U);
  EXPECT_TRUE(splitter.ended());
  EXPECT_FALSE(splitter.has_rest());
}

TEST(ItemSplitter, gives_items_one_by_one_and_what_is_around_them) {
  const std::string text = R"( {"kind":"PodList","x":["items",{"items":[{"no":1}]}],"y":"items",)"
                           R"("items": [ {"a":"}]\"{","items":[1]} ,{"b":[{}]}, {}],)"
                           R"("metadata":{"resourceVersion":"7","continue":"t\"x"}} )";
  for (size_t step = 1; step <= text.size(); ++step) {
    ItemSplitter splitter(100, 1000);
    Taken taken;
    const auto result = feed(splitter, text, step, taken.sink);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(taken.texts,
              (std::vector<std::string>{R"({"a":"}]\"{","items":[1]})", R"({"b":[{}]})", "{}"}));
    ASSERT_TRUE(splitter.complete());
    const auto head = parse_page_head(splitter.envelope());
    ASSERT_TRUE(head) << splitter.envelope();
    EXPECT_EQ(head->version, "7");
    EXPECT_EQ(head->token, "t\"x");
  }
}

TEST(ItemSplitter, half_a_list_is_not_complete) {
  ItemSplitter splitter(100, 1000);
  Taken taken;
  EXPECT_TRUE(splitter.feed(R"({"metadata":{},"items":[{"a":1})", taken.sink));
  EXPECT_FALSE(splitter.complete());
  EXPECT_EQ(taken.texts.size(), 1U);
  EXPECT_FALSE(ItemSplitter(1, 1).complete());
}

TEST(ItemSplitter, null_items_are_an_empty_list) {
  ItemSplitter splitter(100, 1000);
  Taken taken;
  EXPECT_TRUE(splitter.feed(R"({"metadata":{},"items":null})", taken.sink));
  EXPECT_TRUE(splitter.complete());
}

TEST(ItemSplitter, refuses_what_is_no_list_or_too_large) {
  for (const std::string text :
       {"[]", "7", "<html>", R"({"items":[7]})", R"({"items":["x"]})", R"({"items":[[{}]]})",
        R"({}{})", R"({"items":[{"a":"0123456789"}]})", R"({"metadata":"01234567890123456789"})"}) {
    ItemSplitter splitter(10, 20);
    Taken taken;
    const auto result = splitter.feed(text, taken.sink);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().kind, ErrorKind::Invalid);
    EXPECT_FALSE(splitter.complete());
  }
}

TEST(Ingest, trims_objects) {
  auto object = nlohmann::json::parse(
      R"({"metadata":{"name":"x","managedFields":[1],"resourceVersion":"5"}})");
  ASSERT_TRUE(trim_object(object, kPods));
  EXPECT_EQ(object, nlohmann::json::parse(
                        R"({"apiVersion":"v1","kind":"Pod",
                            "metadata":{"name":"x","resourceVersion":"5"}})"));
  EXPECT_FALSE(trim_object(object, kJobs)) << "another kind";
  for (const char* text : {"[]", "{}", R"({"metadata":{}})", R"({"metadata":{"name":7}})"}) {
    auto bad = nlohmann::json::parse(text);
    EXPECT_FALSE(trim_object(bad, kPods)) << text;
  }
}

TEST(Ingest, reads_watch_lines) {
  nlohmann::json object;
  const auto bookmark = parse_watch_line(
      R"({"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"5",
          "annotations":{"k8s.io/initial-events-end":"true"}}}})",
      kPods, object);
  ASSERT_TRUE(bookmark);
  EXPECT_TRUE(bookmark->initial_events_end);
  EXPECT_EQ(bookmark->version, "5");
  EXPECT_EQ(
      parse_watch_line(R"({"type":"ADDED","object":{"kind":"Status"}})", kPods, object)->version,
      "");
  EXPECT_FALSE(parse_watch_line("{", kPods, object));
  EXPECT_FALSE(parse_watch_line("{}", kPods, object));
  EXPECT_FALSE(parse_watch_line(R"({"type":7})", kPods, object));
  EXPECT_FALSE(parse_watch_line("[]", kPods, object));
  EXPECT_TRUE(parse_watch_line(R"({"type":"ADDED"})", kPods, object));
}

}  // namespace
}  // namespace atq::kube
