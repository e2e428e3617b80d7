#include "src/net/connection.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace atq::net {

namespace asio = boost::asio;
using boost::system::error_code;

Connection::Connection(Socket socket)
    : socket_(std::move(socket)), deadline_(socket_.get_executor()) {}

Task<Result<void>> Connection::connect(asio::generic::stream_protocol::endpoint endpoint,
                                       Milliseconds timeout) {
  set_deadline(timeout);
  error_code code;
  co_await socket_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, code));
  if (code) {
    co_return std::unexpected(describe(code, "connect"));
  }
  co_return Result<void>();
}

Task<Result<size_t>> Connection::read(asio::mutable_buffer buffer) {
  error_code code;
  const size_t size =
      co_await socket_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, code));
  if (code == asio::error::eof) {
    co_return size_t{0};
  }
  if (code) {
    co_return std::unexpected(describe(code, "read"));
  }
  co_return size;
}

Task<Result<void>> Connection::write(std::string_view bytes) {
  error_code code;
  co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                             asio::redirect_error(asio::use_awaitable, code));
  if (code) {
    co_return std::unexpected(describe(code, "write"));
  }
  co_return Result<void>();
}

void Connection::set_deadline(Milliseconds timeout) {
  const uint64_t number = ++deadline_number_;
  deadline_.expires_after(timeout);
  deadline_.async_wait([self = weak_from_this(), number](const error_code& code) {
    const auto connection = self.lock();
    if (code || !connection || connection->deadline_number_ != number) {
      return;
    }
    connection->timed_out_ = true;
    connection->close();
  });
}

void Connection::clear_deadline() {
  ++deadline_number_;
  deadline_.cancel();
}

void Connection::watch_peer(std::function<void()> callback) {
  peer_closed_ = std::move(callback);
  const uint64_t number = ++watch_number_;
  socket_.async_wait(Socket::wait_read,
                     [self = shared_from_this(), number](const error_code& code) {
                       if (!code) {
                         self->on_readable(number);
                       }
                     });
}

void Connection::on_readable(uint64_t watch) {
  if (watch != watch_number_ || closed_ || !peer_closed_) {
    return;
  }
  char byte = 0;
  const auto size = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  const bool gone = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
  if (gone) {
    const auto callback = std::exchange(peer_closed_, nullptr);
    callback();
  }
}

void Connection::stop_watching() {
  ++watch_number_;
  peer_closed_ = nullptr;
}

void Connection::close() {
  if (!std::exchange(closed_, true)) {
    error_code ignored;
    socket_.close(ignored);
    clear_deadline();
  }
}

Task<void> Connection::linger(Milliseconds timeout) {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  set_deadline(timeout);
  std::array<char, 4096> dropped;
  for (size_t total = 0; total < 256 * 1024;) {
    const auto size = co_await read(asio::buffer(dropped));
    if (!size || *size == 0) {
      break;
    }
    total += *size;
  }
  close();
}

Error Connection::describe(const error_code& code, std::string_view what) const {
  if (timed_out_) {
    return {ErrorKind::Timeout, std::string(what) + ": no answer in time", std::nullopt};
  }
  if (closed_ || code == asio::error::operation_aborted) {
    return {ErrorKind::Canceled, std::string(what) + ": connection closed on this side",
            std::nullopt};
  }
  const bool nobody = code.value() == ECONNREFUSED || code.value() == ENOENT;
  const bool forbidden = code.value() == EACCES || code.value() == EPERM;
  const ErrorKind kind = nobody      ? ErrorKind::NotFound
                         : forbidden ? ErrorKind::Forbidden
                                     : ErrorKind::Unavailable;
  return {kind, std::string(what) + ": " + code.message(), std::nullopt};
}

}  // namespace atq::net
