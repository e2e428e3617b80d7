#pragma once
// Runs checks side by side until each has had its consecutive successes.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/agent/attempt.hpp"
#include "src/agent/event_loop.hpp"
#include "src/agent/protocol.hpp"

namespace atq::agent {

class Prober {
 public:
  using OnReport = std::function<void(const CheckReport&)>;
  /// `on_report` for the first outcome of a check, for each that differs from the last one told,
  /// for repeated failures at most every second, and when it passes. `all_passed` once.
  Prober(EventLoop& loop, std::vector<Check> checks, OnReport on_report,
         std::function<void()> all_passed);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  void start();

 private:
  struct Entry {
    Check check;
    std::unique_ptr<Attempt> attempt;
    EventLoop::Timer retry;
    int tries = 0;
    int successes = 0;  ///< in a row
    int failures = 0;   ///< in a row
    bool passed = false;
    bool reported = false;
    std::string last_error;  ///< as reported
    Clock::time_point reported_at;
  };
  void start_try(Entry& entry);
  void begin_waiting_commands();
  void ended(Entry& entry, const std::string& error);
  void report(Entry& entry, const std::string& error);

  EventLoop& loop_;
  std::vector<std::unique_ptr<Entry>> entries_;
  OnReport on_report_;
  std::function<void()> all_passed_;
  size_t open_ = 0;
  size_t commands_ = 0;  ///< exec tries under way
  std::vector<Entry*> waiting_commands_;
};

/// How long to wait after the `failures`-th failure in a row: 20 ms at first, so that a worker that
/// is about to listen is seen at once, doubling up to the period. Commands begin at 100 ms.
std::chrono::milliseconds retry_delay(const ProbeTarget& target, int failures);

}  // namespace atq::agent
