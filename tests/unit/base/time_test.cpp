#include "src/base/time.hpp"

#include <gtest/gtest.h>

namespace atq {
namespace {

using namespace std::chrono_literals;

TEST(Rfc3339, WritesWholeSecondsWithoutFraction) {
  EXPECT_EQ(to_rfc3339(TimePoint{0us}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339(TimePoint{1'500ms}), "1970-01-01T00:00:01.500Z");
}

TEST(Rfc3339, WritesSixDigitsWhereKubernetesWantsThem) {
  EXPECT_EQ(to_rfc3339_micros(TimePoint{0us}), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339_micros(TimePoint{1'000'042us}), "1970-01-01T00:00:01.000042Z");
  EXPECT_EQ(to_rfc3339_micros(TimePoint{-1us}), "1969-12-31T23:59:59.999999Z");
}

TEST(Rfc3339, ReadsWhatItWrote) {
  const TimePoint time{1'795'233'874'918'000us};
  EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), time);
}

TEST(Rfc3339, ReadsOffsetsAndFractions) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T02:00:00+02:00"), TimePoint{0us});
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.000001999Z"), TimePoint{1us});
}

TEST(Rfc3339, RefusesWhatIsNone) {
  for (const auto* text :
       {"", "1970", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z",
        "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z", "x970-01-01T00:00:00Z"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

TEST(Human, ReadsWell) {
  EXPECT_EQ(to_human(850ms), "850ms");
  EXPECT_EQ(to_human(4'200ms), "4.2s");
  EXPECT_EQ(to_human(190s), "3m10s");
  EXPECT_EQ(to_human(2h + 5min), "2h5m");
  EXPECT_EQ(to_human(-1s), "0s");
}

}  // namespace
}  // namespace atq
