#pragma once
// What every LeaderLock must do. A world makes locks that compete with each other:
//
//   struct World {
//     std::unique_ptr<ports::LeaderLock> make();   // one more contender for the same leadership
//     void turn();                                 // lets time pass until a waiting contender has
//     looked void take_away();                            // takes leadership from its holder by
//     force boost::asio::io_context& io();
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(File, LockSuite, FileWorld);

#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "controller/ports/leader_lock.hpp"

namespace atq::conformance {

template <class World>
class LockSuite : public ::testing::Test {
 protected:
  using Lock = ports::LeaderLock;

  void acquire(Lock& lock, std::optional<Result<bool>>& result) {
    boost::asio::co_spawn(world_.io(), lock.acquire(),
                          [&result](std::exception_ptr, Result<bool> r) { result = std::move(r); });
    world_.turn();
  }
  void watch(Lock& lock, bool& lost) {
    boost::asio::co_spawn(world_.io(), lock.lost(), [&lost](std::exception_ptr) { lost = true; });
    world_.turn();
  }

  World world_;
};
TYPED_TEST_SUITE_P(LockSuite);

TYPED_TEST_P(LockSuite, FreeLockIsTakenAndNamesItsHolder) {
  auto lock = this->world_.make();
  std::optional<Result<bool>> result;
  this->acquire(*lock, result);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, Result<bool>(true));
  EXPECT_FALSE(lock->holder().empty());
}

TYPED_TEST_P(LockSuite, OneLeadsAtATimeAndTheNextFollows) {
  auto first = this->world_.make();
  auto second = this->world_.make();
  std::optional<Result<bool>> first_result, second_result;
  this->acquire(*first, first_result);
  this->acquire(*second, second_result);
  this->world_.turn();
  EXPECT_FALSE(second_result.has_value());
  EXPECT_EQ(second->holder(), first->holder());
  first->stop();
  this->world_.turn();
  ASSERT_TRUE(second_result.has_value());
  EXPECT_EQ(*second_result, Result<bool>(true));
}

TYPED_TEST_P(LockSuite, StopEndsTheWaitWithoutLeadership) {
  auto first = this->world_.make();
  auto second = this->world_.make();
  std::optional<Result<bool>> first_result, second_result;
  this->acquire(*first, first_result);
  this->acquire(*second, second_result);
  second->stop();
  this->world_.turn();
  ASSERT_TRUE(second_result.has_value());
  EXPECT_EQ(*second_result, Result<bool>(false));
}

TYPED_TEST_P(LockSuite, HeldLockIsNotLostUntilStop) {
  auto lock = this->world_.make();
  std::optional<Result<bool>> result;
  bool lost = false;
  this->acquire(*lock, result);
  this->watch(*lock, lost);
  this->world_.turn();
  EXPECT_FALSE(lost);
  lock->stop();
  this->world_.turn();
  EXPECT_TRUE(lost);
}

TYPED_TEST_P(LockSuite, LossIsTold) {
  auto lock = this->world_.make();
  std::optional<Result<bool>> result;
  bool lost = false;
  this->acquire(*lock, result);
  this->watch(*lock, lost);
  this->world_.take_away();
  this->world_.turn();
  EXPECT_TRUE(lost);
  lock->stop();
  this->world_.turn();
}

REGISTER_TYPED_TEST_SUITE_P(LockSuite, FreeLockIsTakenAndNamesItsHolder,
                            OneLeadsAtATimeAndTheNextFollows, StopEndsTheWaitWithoutLeadership,
                            HeldLockIsNotLostUntilStop, LossIsTold);

}  // namespace atq::conformance
