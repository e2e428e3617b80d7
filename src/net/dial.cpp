#include "src/net/dial.hpp"

#include <algorithm>
#include <netinet/tcp.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "src/net/unix_socket.hpp"

namespace atq::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Milliseconds = std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;
using Endpoints = std::vector<Connection::Protocol::endpoint>;

template <int name>
using TcpOption = asio::detail::socket_option::integer<IPPROTO_TCP, name>;

/// A peer that vanished without a word is found after a minute; a stream that may be silent for
/// hours has no other way to know.
constexpr int kKeepAliveAfter = 30, kKeepAliveEvery = 10, kKeepAliveTries = 3;

void tune(Connection::Socket& socket) {
  error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(TcpOption<TCP_KEEPIDLE>(kKeepAliveAfter), ignored);
  socket.set_option(TcpOption<TCP_KEEPINTVL>(kKeepAliveEvery), ignored);
  socket.set_option(TcpOption<TCP_KEEPCNT>(kKeepAliveTries), ignored);
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

Task<Result<Endpoints>> find_endpoints(Connection& connection, const Endpoint& endpoint,
                                       FindAddresses find) {
  Addresses addresses;
  error_code no_address;
  static_cast<void>(asio::ip::make_address(endpoint.host, no_address));
  if (no_address) {
    auto found = co_await connection.look_up(endpoint.host, std::move(find));
    if (!found) {
      co_return std::unexpected(found.error());
    }
    addresses = std::move(*found);
  } else {
    addresses.push_back(endpoint.host);
  }
  Endpoints out;
  for (const std::string& address : addresses) {
    const auto ip = asio::ip::make_address(address, no_address);
    if (!no_address) {
      out.emplace_back(asio::ip::tcp::endpoint(ip, endpoint.port));
    }
  }
  co_return out;
}

Task<Result<void>> dial_unix(Connection& connection, const Endpoint& endpoint,
                             Milliseconds timeout) {
  const auto path = UnixAddress::of(endpoint.socket);
  if (!path) {
    co_return std::unexpected(path.error());
  }
  Endpoints endpoints = {asio::local::stream_protocol::endpoint(path->path())};
  const auto connected = co_await connection.connect(std::move(endpoints), timeout);
  co_return connected;
}

Task<Result<void>> dial_tcp(Connection& connection, const Endpoint& endpoint, FindAddresses find,
                            SteadyClock::time_point until) {
  const bool whole = !endpoint.host.empty() && std::ranges::all_of(endpoint.host, [](char sign) {
    return sign > ' ' && sign <= '~';
  });
  if (!whole || endpoint.port == 0) {
    co_return fail(ErrorKind::Invalid, "expected a host name or IP address, and a port");
  }
  const auto left = [until] {
    const auto rest = std::chrono::duration_cast<Milliseconds>(until - SteadyClock::now());
    return std::max(rest, Milliseconds(0));
  };
  connection.set_deadline(left());
  auto endpoints = co_await find_endpoints(connection, endpoint, std::move(find));
  if (!endpoints) {
    co_return std::unexpected(endpoints.error());
  }
  const auto connected = co_await connection.connect(std::move(*endpoints), left());
  if (connected) {
    tune(connection.socket());
    connection.set_deadline(left());
  }
  co_return connected;
}

}  // namespace

std::string name_of(const Endpoint& endpoint) {
  return endpoint.socket.empty() ? bracketed(endpoint.host) + ":" + std::to_string(endpoint.port)
                                 : endpoint.socket.string();
}

std::string host_header(const Endpoint& endpoint) {
  if (!endpoint.socket.empty()) {
    return "localhost";
  }
  const bool usual = endpoint.port == (endpoint.tls ? 443 : 80);
  return usual ? bracketed(endpoint.host) : name_of(endpoint);
}

Task<Result<void>> dial(Connection& connection, Endpoint endpoint, FindAddresses find,
                        std::chrono::milliseconds timeout) {
  const auto until = SteadyClock::now() + timeout;
  Result<void> opened;
  if (endpoint.socket.empty()) {
    opened = co_await dial_tcp(connection, endpoint, std::move(find), until);
  } else {
    opened = co_await dial_unix(connection, endpoint, timeout);
  }
  if (opened && endpoint.tls) {
    const std::string host = endpoint.socket.empty() ? endpoint.host : "localhost";
    opened = co_await connection.secure(endpoint.tls, host);
  }
  co_return opened;
}

}  // namespace atq::net
