#pragma once
// Time as a port, so that tests run hours in milliseconds.

#include <memory>

#include "controller/ports/task.hpp"
#include "src/base/time.hpp"

namespace atq::ports {

class Clock {
 public:
  virtual ~Clock() = default;

  /// Wall clock, for what is written into objects.
  virtual TimePoint now() const = 0;

  /// Time since some moment before, for what must not be fooled by a step of the wall clock. It
  /// counts on while the process or the machine sleeps.
  virtual Duration monotonic() const = 0;

  /// A cancellable alarm. Implementations are bound to the engine's io_context.
  class Timer {
   public:
    virtual ~Timer() = default;
    /// Waits until `at`; false if cancelled or re-armed meanwhile. One wait at a time.
    virtual Task<bool> wait_until(TimePoint at) = 0;
    /// As wait_until(), whatever the wall clock does meanwhile.
    virtual Task<bool> wait_for(Duration time) = 0;
    virtual void cancel() = 0;
  };
  virtual std::unique_ptr<Timer> make_timer() = 0;
};

}  // namespace atq::ports
