#include "src/net/server.hpp"

#include <list>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/net/session.hpp"
#include "src/net/unix_socket.hpp"

namespace atq::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Unix = asio::local::stream_protocol;

namespace {
constexpr size_t kMaxRefusals = 64;  ///< told "503" at the same time; more are just closed
constexpr std::chrono::milliseconds kRefusalTimeout{1000};
constexpr std::chrono::milliseconds kAcceptRetry{100};
}  // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  Impl(asio::any_io_executor on, Handler answers, ServerOptions with)
      : executor(std::move(on)),
        handler(std::move(answers)),
        options(std::move(with)),
        changed(executor) {}

  template <class Protocol>
  Task<void> accept(std::shared_ptr<typename Protocol::acceptor> acceptor);
  void admit(Connection::Socket socket);
  Task<void> serve(std::shared_ptr<Connection> connection);
  Task<void> turn_away(std::shared_ptr<Connection> connection);
  /// Counts a coroutine from its spawn to its end; stop() waits for zero.
  void spawn(Task<void> task);
  void close_listeners();

  asio::any_io_executor executor;
  Handler handler;
  ServerOptions options;
  asio::steady_timer changed;
  std::vector<std::shared_ptr<tcp::acceptor>> tcp_acceptors;
  std::vector<std::shared_ptr<Unix::acceptor>> unix_acceptors;
  std::vector<std::filesystem::path> socket_files;
  std::list<Session> sessions;
  std::list<std::shared_ptr<Connection>> refusals;
  size_t running = 0;
  bool stopping = false;
};

void Server::Impl::spawn(Task<void> task) {
  ++running;
  asio::co_spawn(executor, std::move(task),
                 [self = shared_from_this()](const std::exception_ptr& thrown) {
                   --self->running;
                   self->changed.cancel();
                   if (thrown) {
                     self->options.on_error("a connection ended with an exception");
                   }
                 });
}

template <class Protocol>
Task<void> Server::Impl::accept(std::shared_ptr<typename Protocol::acceptor> acceptor) {
  while (!stopping) {
    error_code code;
    auto socket = co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, code));
    if (stopping || code == asio::error::operation_aborted) {
      break;
    }
    if (code) {
      // Out of descriptors or memory: others will be given back.
      options.on_error("accept: " + code.message());
      asio::steady_timer pause(executor, kAcceptRetry);
      error_code ignored;
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      continue;
    }
    admit(std::move(socket));
  }
}

void Server::Impl::admit(Connection::Socket socket) {
  auto connection = std::make_shared<Connection>(std::move(socket));
  if (sessions.size() < options.max_connections) {
    spawn(serve(std::move(connection)));
  } else if (refusals.size() < kMaxRefusals) {
    spawn(turn_away(std::move(connection)));
  }
}

Task<void> Server::Impl::serve(std::shared_ptr<Connection> connection) {
  const auto self = shared_from_this();
  const auto session = sessions.emplace(sessions.end(), connection, handler, options);
  try {
    co_await session->run();
  } catch (...) {
    connection->close();
    sessions.erase(session);
    throw;
  }
  sessions.erase(session);
}

Task<void> Server::Impl::turn_away(std::shared_ptr<Connection> connection) {
  const auto place = refusals.insert(refusals.end(), connection);
  const Response response = make_error_response(
      options, 503,
      "too many connections (at most " + std::to_string(options.max_connections) + ")");
  connection->set_deadline(kRefusalTimeout);
  const std::string bytes =
      encode_head(response, Framing::Length, response.body.size(), false) + response.body;
  const auto sent = co_await connection->write(bytes);
  if (sent) {
    co_await connection->linger(kRefusalTimeout);
  }
  refusals.erase(place);
}

void Server::Impl::close_listeners() {
  stopping = true;
  error_code ignored;
  // The files first: while the socket listens, nobody else has put one of his own in its place.
  for (const auto& file : socket_files) {
    ::unlink(file.c_str());
  }
  for (const auto& acceptor : tcp_acceptors) {
    acceptor->close(ignored);
  }
  for (const auto& acceptor : unix_acceptors) {
    acceptor->close(ignored);
  }
  socket_files.clear();
}

Server::Server(asio::any_io_executor executor, Handler handler, ServerOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(handler), std::move(options))) {}

Server::~Server() {
  impl_->close_listeners();
  for (Session& session : impl_->sessions) {
    session.abort();
  }
}

Result<uint16_t> Server::listen_tcp(const std::string& host, uint16_t port) {
  const std::string name = host + ":" + std::to_string(port);
  error_code code;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, code);
  if (code) {
    return fail(ErrorKind::Invalid, "listen on " + name + ": expected an IP address");
  }
  auto acceptor = std::make_shared<tcp::acceptor>(impl_->executor);
  const tcp::endpoint endpoint(address, port);
  acceptor->open(endpoint.protocol(), code);
  if (!code) {
    acceptor->set_option(tcp::acceptor::reuse_address(true), code);
  }
  if (!code) {
    acceptor->bind(endpoint, code);
  }
  if (!code) {
    acceptor->listen(asio::socket_base::max_listen_connections, code);
  }
  if (code) {
    return std::unexpected(from_errno(code.value(), "listen on " + name));
  }
  const uint16_t bound = acceptor->local_endpoint().port();
  impl_->tcp_acceptors.push_back(acceptor);
  impl_->spawn(impl_->accept<tcp>(std::move(acceptor)));
  return bound;
}

Result<void> Server::listen_unix(const std::filesystem::path& path) {
  const auto descriptor = net::listen_unix(path);
  if (!descriptor) {
    return std::unexpected(descriptor.error());
  }
  auto acceptor = std::make_shared<Unix::acceptor>(impl_->executor);
  error_code code;
  acceptor->assign(Unix(), *descriptor, code);
  if (code) {
    ::close(*descriptor);
    return std::unexpected(from_errno(code.value(), "listen on " + path.string()));
  }
  impl_->socket_files.push_back(path);
  impl_->unix_acceptors.push_back(acceptor);
  impl_->spawn(impl_->accept<Unix>(std::move(acceptor)));
  return {};
}

Task<void> Server::stop(std::chrono::milliseconds grace) {
  const auto self = impl_;
  self->close_listeners();
  for (Session& session : self->sessions) {
    session.finish();
  }
  const auto until = std::chrono::steady_clock::now() + grace;
  bool aborted = false;
  while (self->running > 0) {
    if (!aborted && std::chrono::steady_clock::now() >= until) {
      aborted = true;
      for (Session& session : self->sessions) {
        session.abort();
      }
      for (const auto& connection : self->refusals) {
        connection->close();
      }
    }
    self->changed.expires_at(aborted ? asio::steady_timer::time_point::max() : until);
    error_code ignored;
    co_await self->changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

size_t Server::connections() const noexcept { return impl_->sessions.size(); }

}  // namespace atq::net
