#pragma once
// A LeaderLock whose fate the test decides.

#include <boost/asio/io_context.hpp>

#include "controller/engine/async_event.hpp"
#include "controller/ports/leader_lock.hpp"

namespace atq::fakes {

class FakeLock final : public ports::LeaderLock {
 public:
  explicit FakeLock(boost::asio::io_context& io, bool free = true) : event_(io), free_(free) {}

  AsyncResult<bool> acquire() override {
    while (!free_ && !stopped_) {
      co_await event_.wait();
    }
    held_ = !stopped_;
    co_return held_;
  }
  Task<void> lost() override {
    while (held_ && !stopped_) {
      co_await event_.wait();
    }
  }
  bool still_held() const override { return held_ && !overdue; }
  Task<void> ended() override { co_return; }
  void stop() override {
    stopped_ = true;
    held_ = false;
    event_.notify_all();
  }
  std::string holder() const override { return held_ ? "pid 1 on here" : "pid 2 on there"; }

  /// The present holder has gone.
  void become_free() {
    free_ = true;
    event_.notify_all();
  }
  /// Another has taken it.
  void lose() {
    free_ = false;
    held_ = false;
    event_.notify_all();
  }
  bool held() const noexcept { return held_; }

  bool overdue = false;  ///< held, but another may have it at any moment

 private:
  engine::AsyncEvent event_;
  bool free_;
  bool held_ = false;
  bool stopped_ = false;
};

}  // namespace atq::fakes
