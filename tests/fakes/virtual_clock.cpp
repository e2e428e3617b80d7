#include "tests/fakes/virtual_clock.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atq::fakes {

namespace asio = boost::asio;

class VirtualClock::VirtualTimer final : public ports::Clock::Timer {
 public:
  VirtualTimer(VirtualClock& clock, asio::io_context& io)
      : clock_(clock), wake_(io, asio::steady_timer::time_point::max()) {}
  ~VirtualTimer() override { cancel(); }

  Task<bool> wait_until(TimePoint at) override { return wait(at, false); }
  Task<bool> wait_for(Duration time) override { return wait(clock_.now() + time, true); }

  /// After a step of the wall clock: an alarm of wait_for() moves with it.
  void step(Duration by) {
    if (steady_) {
      const TimePoint at = alarm_->first + by;
      clock_.alarms_.erase(alarm_);
      alarm_ = clock_.alarms_.emplace(at, this);
    }
  }

  void cancel() override {
    ++armings_;
    if (waiting_) {
      clock_.alarms_.erase(alarm_);
      waiting_ = false;
      wake_.cancel();
    }
  }

  void fire() {
    clock_.alarms_.erase(alarm_);
    waiting_ = false;
    wake_.cancel();
  }

 private:
  Task<bool> wait(TimePoint at, bool steady) {
    cancel();
    if (at <= clock_.now()) {
      co_return true;
    }
    steady_ = steady;
    const uint64_t armed = ++armings_;
    alarm_ = clock_.alarms_.emplace(at, this);
    waiting_ = true;
    boost::system::error_code ignored;
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    co_return armed == armings_;
  }

  VirtualClock& clock_;
  asio::steady_timer wake_;
  Alarms::iterator alarm_;
  bool waiting_ = false;
  bool steady_ = false;
  uint64_t armings_ = 0;
};

VirtualClock::VirtualClock(asio::io_context& io)
    : io_(io), now_(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)), start_(now_) {}

std::unique_ptr<ports::Clock::Timer> VirtualClock::make_timer() {
  return std::make_unique<VirtualTimer>(*this, io_);
}

void VirtualClock::settle() {
  do {
    io_.restart();
  } while (io_.poll() > 0);
}

void VirtualClock::advance(Duration by) {
  const TimePoint target = now_ + by;
  settle();
  while (!alarms_.empty() && alarms_.begin()->first <= target) {
    now_ = std::max(now_, alarms_.begin()->first);
    alarms_.begin()->second->fire();
    settle();
  }
  now_ = target;
  settle();
}

bool VirtualClock::advance_until(const std::function<bool()>& condition, Duration limit) {
  const TimePoint last = now_ + limit;
  settle();
  while (!condition()) {
    const auto next = next_alarm();
    if (!next || *next > last) {
      now_ = last;
      settle();
      return condition();
    }
    advance(std::max(*next - now_, Duration::zero()));
  }
  return true;
}

void VirtualClock::step_wall(Duration by) {
  now_ += by;
  start_ += by;
  std::vector<VirtualTimer*> armed;
  for (const auto& [at, timer] : alarms_) armed.push_back(timer);
  for (VirtualTimer* timer : armed) timer->step(by);
}

std::optional<TimePoint> VirtualClock::next_alarm() const {
  if (alarms_.empty()) {
    return std::nullopt;
  }
  return alarms_.begin()->first;
}

}  // namespace atq::fakes
