#pragma once
// Time that a test drives: hours pass in milliseconds, in the same order each time. It owns the
// turning of the io_context: settle() runs whatever can run now, advance() moves time from alarm to
// alarm and settles at each.

#include <map>
#include <memory>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "controller/ports/clock.hpp"

namespace atq::fakes {

class VirtualClock final : public ports::Clock {
 public:
  /// Starts at 2026-01-01T00:00:00Z.
  explicit VirtualClock(boost::asio::io_context& io);

  TimePoint now() const override { return now_; }
  Duration monotonic() const override { return now_ - start_; }
  std::unique_ptr<Timer> make_timer() override;

  /// Runs every handler that is ready, until none is.
  void settle();
  /// Lets `by` pass.
  void advance(Duration by);
  /// Advances in steps of alarms until `condition` holds; false where it does not within `limit`.
  bool advance_until(const std::function<bool()>& condition, Duration limit);
  /// The wall clock is set forward or back; nothing runs, no time passes.
  void step_wall(Duration by);
  /// Time passes in which the process does not run (SIGSTOP): alarms are late. Nothing runs yet.
  void freeze(Duration by) { now_ += by; }
  /// The next alarm, for tests of "sleeps until".
  std::optional<TimePoint> next_alarm() const;

 private:
  class VirtualTimer;
  using Alarms = std::multimap<TimePoint, VirtualTimer*>;

  boost::asio::io_context& io_;
  TimePoint now_;
  TimePoint start_;  // on the wall clock as it is set now
  Alarms alarms_;
};

}  // namespace atq::fakes
