#pragma once
// Owns coroutines, so that none is detached: whoever stops waits for all of its tasks. One
// io_context thread.

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "controller/ports/task.hpp"

namespace atq::engine {

class TaskGroup {
 public:
  /// `on_error` gets what a task throws; it must not throw itself.
  using OnError = std::function<void(std::exception_ptr)>;

  TaskGroup(boost::asio::io_context& io, OnError on_error);
  /// A group may only go when it is empty or when the io_context will not run any more.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts a task at the loop's next turn.
  void spawn(Task<void> task);
  /// Returns when no task is left; tasks spawned meanwhile are waited for too. Never call it from a
  /// task of this group.
  Task<void> join();
  size_t size() const noexcept;
  boost::asio::io_context& io() noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace atq::engine
