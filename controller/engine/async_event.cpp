#include "controller/engine/async_event.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atq::engine {

namespace asio = boost::asio;

AsyncEvent::AsyncEvent(asio::io_context& io) : timer_(io, asio::steady_timer::time_point::max()) {}

Task<void> AsyncEvent::wait() {
  boost::system::error_code ignored;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void AsyncEvent::notify_all() { timer_.cancel(); }

}  // namespace atq::engine
