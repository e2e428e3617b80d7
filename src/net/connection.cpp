#include "src/net/connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "src/net/tls_stream.hpp"

namespace atq::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// "127.0.0.1:80", "[::1]:80"; "" for a unix socket, whose path the caller knows.
std::string name_of(const Connection::Protocol::endpoint& endpoint) {
  asio::ip::tcp::endpoint tcp;
  if (endpoint.protocol().family() == AF_UNIX || endpoint.size() > tcp.capacity()) {
    return {};
  }
  tcp.resize(endpoint.size());
  std::copy_n(reinterpret_cast<const char*>(endpoint.data()), endpoint.size(),
              reinterpret_cast<char*>(tcp.data()));
  const std::string address = tcp.address().to_string();
  return (tcp.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(tcp.port());
}

/// What several failures are together: where one server was silent, that; then that nobody listens.
ErrorKind worse(ErrorKind left, ErrorKind right) {
  for (const ErrorKind kind :
       {ErrorKind::Canceled, ErrorKind::Timeout, ErrorKind::NotFound, ErrorKind::Forbidden}) {
    if (left == kind || right == kind) {
      return kind;
    }
  }
  return left;
}

}  // namespace

Connection::Connection(Socket socket)
    : socket_(std::move(socket)), deadline_(socket_.get_executor()) {}
Connection::~Connection() = default;

Task<Result<Addresses>> Connection::look_up(std::string host, FindAddresses find) {
  if (closed_) {
    co_return std::unexpected(describe({}, "look up " + host));
  }
  lookup_ = std::make_shared<Lookup>(socket_.get_executor());
  auto found = co_await lookup_->run(host, std::move(find));
  lookup_.reset();
  if (closed_) {
    co_return std::unexpected(describe({}, "look up " + host));
  }
  co_return found;
}

Task<Result<void>> Connection::connect(std::vector<Protocol::endpoint> endpoints,
                                       Milliseconds timeout) {
  const auto until = std::chrono::steady_clock::now() + timeout;
  std::optional<Error> failure;
  for (auto left = static_cast<int64_t>(endpoints.size()); const auto& endpoint : endpoints) {
    const auto rest =
        std::chrono::duration_cast<Milliseconds>(until - std::chrono::steady_clock::now());
    const auto share = std::max(rest, Milliseconds(0)) / left--;
    const auto connected = co_await connect_one(endpoint, share);
    if (connected) {
      co_return connected;
    }
    if (failure) {
      failure->kind = worse(failure->kind, connected.error().kind);
      failure->message += "; " + connected.error().message;
    } else {
      failure = connected.error();
    }
    if (closed_) {
      break;
    }
  }
  close();
  co_return std::unexpected(
      failure.value_or(Error{ErrorKind::NotFound, "connect: no address", std::nullopt}));
}

Task<Result<void>> Connection::connect_one(Protocol::endpoint endpoint, Milliseconds timeout) {
  const std::string name = name_of(endpoint);
  const std::string what = name.empty() ? "connect" : "connect to " + name;
  error_code code = asio::error::operation_aborted;
  if (!closed_) {
    socket_.close(code);
    timed_out_ = false;
    start_deadline(timeout, &Connection::give_up_endpoint);
    co_await socket_.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, code));
    clear_deadline();
  }
  // A deadline may pass after the system has connected and before we are told.
  if (code || closed_ || timed_out_) {
    co_return std::unexpected(describe(code, what));
  }
  co_return Result<void>();
}

Task<Result<void>> Connection::secure(std::shared_ptr<const TlsContext> context, std::string host) {
  auto stream = TlsStream::make(socket_, std::move(context), host);
  if (!stream) {
    co_return std::unexpected(stream.error());
  }
  tls_ = std::move(*stream);
  error_code code;
  co_await tls_->handshake(code);
  if (code) {
    co_return std::unexpected(describe(code, "TLS handshake"));
  }
  co_return Result<void>();
}

Task<Result<size_t>> Connection::read(asio::mutable_buffer buffer) {
  error_code code;
  size_t size = 0;
  if (tls_) {
    size = co_await tls_->read(buffer, code);
  } else {
    size =
        co_await socket_.async_read_some(buffer, asio::redirect_error(asio::use_awaitable, code));
  }
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
  const auto buffer = asio::buffer(bytes.data(), bytes.size());
  if (tls_) {
    co_await tls_->write(buffer, code);
  } else {
    co_await asio::async_write(socket_, buffer, asio::redirect_error(asio::use_awaitable, code));
  }
  if (code) {
    co_return std::unexpected(describe(code, "write"));
  }
  co_return Result<void>();
}

void Connection::set_deadline(Milliseconds timeout) {
  start_deadline(timeout, &Connection::give_up);
}

void Connection::start_deadline(Milliseconds timeout, void (Connection::*expired)()) {
  const uint64_t number = ++deadline_number_;
  deadline_.expires_after(timeout);
  deadline_.async_wait([self = weak_from_this(), number, expired](const error_code& code) {
    const auto connection = self.lock();
    if (code || !connection || connection->deadline_number_ != number) {
      return;
    }
    connection->timed_out_ = true;
    (connection.get()->*expired)();
  });
}

void Connection::give_up() { close(); }

void Connection::give_up_endpoint() {
  error_code ignored;
  socket_.close(ignored);
}

void Connection::clear_deadline() {
  ++deadline_number_;
  deadline_.cancel();
}

void Connection::watch_peer(std::function<void()> callback) {
  start_watch(std::move(callback), false);
}

void Connection::watch_rest(std::function<void()> callback) {
  start_watch(std::move(callback), true);
}

void Connection::start_watch(std::function<void()> callback, bool any_event) {
  watcher_ = std::move(callback);
  socket_.async_wait(Socket::wait_read, [self = weak_from_this(), number = ++watch_number_,
                                         any_event](const error_code& code) {
    if (const auto connection = self.lock()) {
      connection->on_event(number, any_event, code);
    }
  });
}

void Connection::on_event(uint64_t watch, bool any_event, const error_code& code) {
  if (watch != watch_number_ || !watcher_) {
    return;
  }
  bool tell = any_event;
  if (!any_event && !code && !closed_) {
    char byte = 0;
    const auto size = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    tell = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
  }
  if (tell) {
    const auto callback = std::exchange(watcher_, nullptr);
    callback();
  }
}

void Connection::stop_watching() {
  ++watch_number_;
  watcher_ = nullptr;
}

bool Connection::at_rest() {
  if (closed_ || (tls_ && tls_->has_more())) {
    return false;
  }
  char byte = 0;
  const auto size = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size < 0 && errno == EAGAIN;
}

void Connection::close() {
  if (!std::exchange(closed_, true)) {
    error_code ignored;
    socket_.close(ignored);
    clear_deadline();
    if (lookup_) {
      lookup_->cancel();
    }
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
  if (auto failure = tls_ ? tls_->explain(code) : std::nullopt) {
    return {failure->kind, std::string(what) + ": " + failure->message, std::nullopt};
  }
  const bool nobody = code.value() == ECONNREFUSED || code.value() == ENOENT;
  const bool forbidden = code.value() == EACCES || code.value() == EPERM;
  const ErrorKind kind = nobody      ? ErrorKind::NotFound
                         : forbidden ? ErrorKind::Forbidden
                                     : ErrorKind::Unavailable;
  return {kind, std::string(what) + ": " + code.message(), std::nullopt};
}

}  // namespace atq::net
