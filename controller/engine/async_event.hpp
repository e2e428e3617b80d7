#pragma once
// A wake-up between coroutines of one io_context thread. No memory: notify_all() wakes those who
// wait now, so check the condition, then wait, without a co_await between the two.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "controller/ports/task.hpp"

namespace atq::engine {

class AsyncEvent {
 public:
  explicit AsyncEvent(boost::asio::io_context& io);
  /// Returns after the next notify_all(); any number may wait. The event must outlive the wait.
  Task<void> wait();
  void notify_all();

 private:
  boost::asio::steady_timer timer_;  // never expires; cancelling it is the wake-up
};

}  // namespace atq::engine
