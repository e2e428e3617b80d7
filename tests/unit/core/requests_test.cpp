#include "controller/core/requests.hpp"

#include <gtest/gtest.h>

namespace atq::core {
namespace {

api::LoadTest test_with_run(int64_t number) {
  api::LoadTest test;
  test.metadata.name = "a";
  test.status.run.number = number;
  return test;
}

TEST(StopRequest, NamesThePresentRun) {
  EXPECT_EQ(stop_request(test_with_run(4), false), "4/Graceful");
  EXPECT_EQ(stop_request(test_with_run(4), true), "4/Now");
}

TEST(StopRequest, NeedsARunThatGoesOn) {
  const auto none = stop_request(test_with_run(0), true);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::Conflict);
  EXPECT_EQ(none.error().message, "no run of default/a to stop: none has begun");
  api::LoadTest finished = test_with_run(4);
  finished.status.run.finished_at = TimePoint{};
  EXPECT_EQ(stop_request(finished, false).error().message,
            "no run of default/a to stop: run 4 has finished");
}

TEST(StopRequest, TakesNoHardStopOfThisRunBack) {
  api::LoadTest test = test_with_run(4);
  test.metadata.annotations[std::string(api::kStopAnnotation)] = "4/Now";
  EXPECT_EQ(stop_request(test, false), "4/Now");
  test.metadata.annotations[std::string(api::kStopAnnotation)] = "3/Now";
  EXPECT_EQ(stop_request(test, false), "4/Graceful");
}

}  // namespace
}  // namespace atq::core
