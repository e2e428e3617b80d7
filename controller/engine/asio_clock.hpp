#pragma once
// The real Clock: the system's wall clock, alarms on an io_context.

#include <boost/asio/io_context.hpp>

#include "controller/ports/clock.hpp"

namespace atq::engine {

class AsioClock final : public ports::Clock {
 public:
  /// `io` must outlive the clock and its timers.
  explicit AsioClock(boost::asio::io_context& io) : io_(io) {}
  TimePoint now() const override;
  Duration monotonic() const override;  ///< CLOCK_BOOTTIME
  /// Waits on the steady clock and looks at the wall clock again, so a step of the wall clock
  /// delays an alarm by at most the wait it was armed with.
  std::unique_ptr<Timer> make_timer() override;

 private:
  boost::asio::io_context& io_;
};

}  // namespace atq::engine
