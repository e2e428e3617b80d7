#include "src/agent/output.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "src/agent/files.hpp"

namespace atq::agent {
namespace {

std::vector<std::string> lines_of(std::string_view text, size_t piece) {
  std::vector<std::string> lines;
  LineSplitter splitter([&](std::string_view line) { lines.emplace_back(line); });
  for (size_t at = 0; at < text.size(); at += piece) splitter.feed(text.substr(at, piece));
  splitter.finish();
  return lines;
}

TEST(LineSplitter, CutsAlikeInAnyPieces) {
  const std::string_view text = "one\ntwo\r\n\nprogress 1%\rprogress 2%\rlast";
  const std::vector<std::string> expected{"one",         "two",         "",    "",
                                          "progress 1%", "progress 2%", "last"};
  for (size_t piece = 1; piece <= text.size(); ++piece) EXPECT_EQ(lines_of(text, piece), expected);
}

TEST(LineSplitter, OverlongLinesAreCutNotCarried) {
  const std::string text = std::string(1 << 20, 'x') + "\nnext\n";
  for (const size_t piece : {size_t{100}, size_t{65'536}, text.size()}) {
    const auto lines = lines_of(text, piece);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0], std::string(LineSplitter::kMaxLineBytes, 'x'));
    EXPECT_EQ(lines[1], "next");
  }
}

TEST(LastLines, KeepsTheLastTwentyThatSaySomething) {
  LastLines last;
  for (int i = 0; i < 100; ++i) {
    last.add("line " + std::to_string(i));
    last.add("  \t");
    last.add("");
  }
  const auto lines = last.lines();
  ASSERT_EQ(lines.size(), LastLines::kLines);
  EXPECT_EQ(lines.front(), "line 80");
  EXPECT_EQ(lines.back(), "line 99");
}

TEST(LastLines, AreBoundedAndPrintable) {
  LastLines last;
  last.add(std::string(5000, 'x'));
  last.add("\x1b[1;31mred\x1b[0m \xff\x01");
  // Cut within a sign of two bytes by the first bound, and by the second.
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "ä";
  last.add("x" + umlauts);
  const auto lines = last.lines();
  EXPECT_LE(lines[0].size(), LastLines::kLineBytes);
  EXPECT_EQ(lines[1], "red \xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_LE(lines[2].size(), LastLines::kLineBytes);
  EXPECT_EQ(lines[2].find("\xEF\xBF\xBD"), std::string::npos);
}

TEST(ControlSequences, AreTakenOut) {
  EXPECT_EQ(strip_control_sequences("a\x1b[2Kb\x1b[38;5;1mc\x1b"), "abc\x1b");
  EXPECT_EQ(strip_control_sequences("\x1b[12"), "");
  EXPECT_EQ(strip_control_sequences("\x1b(Bplain"), "Bplain");
}

class BoundedLogTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/log-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string text(const std::string& name) const {
    return read_whole(folder_ + "/" + name, 1 << 20).value_or("(none)");
  }
  std::string folder_;
};

TEST_F(BoundedLogTest, MovesAtItsLimitAndLosesNothingOfTheEnd) {
  BoundedLog log(folder_ + "/log", 10);
  log.append("0123456789");
  EXPECT_EQ(text("log"), "0123456789");
  log.append("abc");
  EXPECT_EQ(text("log.1"), "0123456789");
  EXPECT_EQ(text("log"), "abc");
  log.append("defghijklmnopqrstuvwxyz");
  EXPECT_EQ(text("log.1"), "klmnopqrst");
  EXPECT_EQ(text("log"), "uvwxyz");
  EXPECT_EQ(log.dropped_bytes(), 0);
}

TEST_F(BoundedLogTest, WhatCannotBeWrittenIsDroppedAndTheRestGoesOn) {
  std::filesystem::create_directory(folder_ + "/gone");
  BoundedLog log(folder_ + "/gone/log", 4);
  std::filesystem::remove_all(folder_ + "/gone");
  log.append("abcdefgh");
  EXPECT_EQ(log.dropped_bytes(), 4);
  std::filesystem::create_directory(folder_ + "/gone");
  log.append("ij");
  EXPECT_EQ(text("gone/log"), "ij");
}

}  // namespace
}  // namespace atq::agent
