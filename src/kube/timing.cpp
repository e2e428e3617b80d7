#include "src/kube/timing.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atq::kube {

namespace {

namespace asio = boost::asio;

class SteadyAlarm final : public Timing::Alarm {
 public:
  explicit SteadyAlarm(const asio::any_io_executor& executor) : timer_(executor) {}

  net::Task<void> wait(Duration time) override {
    timer_.expires_after(time);
    boost::system::error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  void cancel() override { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
};

class SteadyTiming final : public Timing {
 public:
  explicit SteadyTiming(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  Duration now() const override {
    return std::chrono::duration_cast<Duration>(
        std::chrono::steady_clock::now().time_since_epoch());
  }
  std::unique_ptr<Alarm> make_alarm() override { return std::make_unique<SteadyAlarm>(executor_); }

 private:
  asio::any_io_executor executor_;
};

}  // namespace

std::shared_ptr<Timing> steady_timing(asio::any_io_executor executor) {
  return std::make_shared<SteadyTiming>(std::move(executor));
}

}  // namespace atq::kube
