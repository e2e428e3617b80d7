#pragma once
// Signals as events of the loop.

#include <csignal>
#include <functional>
#include <initializer_list>

#include "src/agent/event_loop.hpp"
#include "src/agent/unique_fd.hpp"

namespace atq::agent {

/// Blocks the signals for the process and hands them to the callback, in the loop. Construct it
/// early: a signal that comes before would end the process.
class Signals {
 public:
  explicit Signals(std::initializer_list<int> numbers);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  void watch(EventLoop& loop, std::function<void(int number)> callback);

 private:
  UniqueFd fd_;
};

/// What the agent is asked to do by them.
bool is_stop_signal(int number);  ///< TERM, HUP, INT, USR1, QUIT
bool is_now_signal(int number);   ///< INT, USR1, QUIT

/// Calls back once when the process `parent` is gone (0: the present parent); at once where it is
/// gone already. Watches the process, not the thread that started us.
class ParentWatch {
 public:
  ParentWatch(EventLoop& loop, int parent, std::function<void()> gone);

 private:
  UniqueFd pidfd_;
};

}  // namespace atq::agent
