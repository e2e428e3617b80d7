#pragma once
// The waits of src/kube in a test's virtual time.

#include <memory>
#include <utility>

#include "controller/ports/clock.hpp"
#include "src/kube/timing.hpp"

namespace atq::fakes::kube {

class ClockTiming final : public atq::kube::Timing {
 public:
  explicit ClockTiming(ports::Clock& clock) : clock_(clock) {}

  Duration now() const override { return clock_.now().time_since_epoch(); }

  std::unique_ptr<Alarm> make_alarm() override {
    class ClockAlarm final : public Alarm {
     public:
      explicit ClockAlarm(ports::Clock& clock) : clock_(clock), timer_(clock.make_timer()) {}
      net::Task<void> wait(Duration time) override {
        co_await timer_->wait_until(clock_.now() + time);
      }
      void cancel() override { timer_->cancel(); }

     private:
      ports::Clock& clock_;
      std::unique_ptr<ports::Clock::Timer> timer_;
    };
    return std::make_unique<ClockAlarm>(clock_);
  }

 private:
  ports::Clock& clock_;
};

}  // namespace atq::fakes::kube
