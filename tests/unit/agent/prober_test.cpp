#include "src/agent/prober.hpp"

#include <gtest/gtest.h>

namespace atq::agent {
namespace {

std::vector<int64_t> delays(const ProbeTarget& target, int count) {
  std::vector<int64_t> out;
  for (int i = 1; i <= count; ++i) out.push_back(retry_delay(target, i).count());
  return out;
}

TEST(RetryDelay, BeginsShortAndEndsAtThePeriod) {
  EXPECT_EQ(delays({.kind = "tcp", .period_ms = 1000}, 8),
            (std::vector<int64_t>{20, 40, 80, 160, 320, 640, 1000, 1000}));
  EXPECT_EQ(delays({.kind = "exec", .period_ms = 300}, 4),
            (std::vector<int64_t>{100, 200, 300, 300}));
  EXPECT_EQ(delays({.kind = "tcp", .period_ms = 5}, 2), (std::vector<int64_t>{5, 5}));
  EXPECT_EQ(retry_delay({.kind = "tcp", .period_ms = 1000}, 1'000'000).count(), 1000);
}

}  // namespace
}  // namespace atq::agent
