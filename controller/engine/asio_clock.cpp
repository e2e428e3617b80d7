#include "controller/engine/asio_clock.hpp"

#include <ctime>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atq::engine {

namespace asio = boost::asio;

namespace {

class AsioTimer final : public ports::Clock::Timer {
 public:
  AsioTimer(asio::io_context& io, const AsioClock& clock) : timer_(io), clock_(clock) {}

  Task<bool> wait_until(TimePoint at) override {
    const uint64_t armed = ++armings_;
    for (TimePoint now = clock_.now(); now < at; now = clock_.now()) {
      // Hours at most at once: a far deadline must not overflow the steady clock.
      timer_.expires_after(std::min<Duration>(at - now, std::chrono::hours(1)));
      boost::system::error_code error;
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (armed != armings_ || error) {
        co_return false;
      }
    }
    co_return true;
  }

  Task<bool> wait_for(Duration time) override {
    const uint64_t armed = ++armings_;
    timer_.expires_after(std::min<Duration>(time, std::chrono::hours(24)));
    boost::system::error_code error;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    co_return armed == armings_ && !error;
  }

  void cancel() override {
    ++armings_;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  const AsioClock& clock_;
  uint64_t armings_ = 0;
};

}  // namespace

TimePoint AsioClock::now() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

Duration AsioClock::monotonic() const {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<Duration>(std::chrono::seconds(now.tv_sec) +
                                              std::chrono::nanoseconds(now.tv_nsec));
}

std::unique_ptr<ports::Clock::Timer> AsioClock::make_timer() {
  return std::make_unique<AsioTimer>(io_, *this);
}

}  // namespace atq::engine
