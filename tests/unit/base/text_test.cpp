#include "src/base/text.hpp"

#include <gtest/gtest.h>

namespace atq {
namespace {

TEST(Utf8, TellsCleanFromIllFormed) {
  EXPECT_TRUE(is_clean_utf8("plain, \xC3\xA4, \xE2\x82\xAC, \xF0\x9F\x98\x80"));
  EXPECT_FALSE(is_clean_utf8(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_clean_utf8("\xC0\xAF"));          // overlong
  EXPECT_FALSE(is_clean_utf8("\xED\xA0\x80"));      // surrogate
  EXPECT_FALSE(is_clean_utf8("\xF4\x90\x80\x80"));  // past U+10FFFF
  EXPECT_FALSE(is_clean_utf8("\xE2\x82"));          // cut short
}

TEST(Printable, KeepsTextAndReplacesTheRest) {
  EXPECT_EQ(to_printable("a\tb\n"), "a\tb\n");
  EXPECT_EQ(to_printable("\x1b[31mred"), "\xEF\xBF\xBD[31mred");
  EXPECT_EQ(to_printable("\xff"), "\xEF\xBF\xBD");
}

TEST(Truncate, CutsAtASignNotInside) {
  EXPECT_EQ(truncate("short", 10), "short");
  EXPECT_EQ(truncate("\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4", 6), "\xC3\xA4\xE2\x80\xA6");
}

TEST(Nearest, FindsTheIntendedWord) {
  EXPECT_EQ(nearest("replica", {"replicas", "readiness", "resources"}), "replicas");
  EXPECT_EQ(nearest("Image", {"image", "args"}), "image");
  EXPECT_EQ(nearest("zzz", {"image", "args"}), "");
}

TEST(Split, RoundTripsWithJoin) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_TRUE(split("", ',').empty());
  EXPECT_EQ(join({"a", "", "b"}, ","), "a,,b");
}

}  // namespace
}  // namespace atq
