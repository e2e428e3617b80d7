#pragma once
// A single-threaded poll loop: descriptors and timers. Everything in the agent runs on it.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "src/agent/unique_fd.hpp"

namespace atq::agent {

using Clock = std::chrono::steady_clock;

/// Throws std::system_error where the kernel gives no epoll descriptor (start-up only).
class EventLoop {
 public:
  using FdCallback = std::function<void(uint32_t events)>;
  using Callback = std::function<void()>;
  /// Names one timer; never used twice.
  using Timer = std::pair<Clock::time_point, uint64_t>;

  EventLoop();

  /// Calls back while `fd` is ready for `events` (EPOLLIN, EPOLLOUT; EPOLLERR and EPOLLHUP always),
  /// until unwatch(). A second watch of an fd replaces the first. The fd stays the caller's, who
  /// unwatches it before closing it.
  void watch(int fd, uint32_t events, FdCallback callback);
  void unwatch(int fd);

  Timer after(std::chrono::milliseconds delay, Callback callback);
  /// Also well for a timer that has fired.
  void cancel(const Timer& timer);

  /// Until stop().
  void run();
  void stop() { stopped_ = true; }

 private:
  struct Watch {
    uint32_t generation;
    std::shared_ptr<FdCallback> callback;
  };
  void wait_and_dispatch();
  void fire_timers();
  int wait_ms() const;

  UniqueFd epoll_;
  std::unordered_map<int, Watch> watches_;
  uint32_t next_generation_ = 1;
  std::map<Timer, Callback> timers_;
  uint64_t next_timer_ = 1;
  bool stopped_ = false;
};

}  // namespace atq::agent
