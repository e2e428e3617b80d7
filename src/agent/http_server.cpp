#include "src/agent/http_server.hpp"

#include <array>
#include <cerrno>
#include <iterator>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "src/agent/socket.hpp"

namespace atq::agent {
namespace {

Result<UniqueFd> listen_on(const char* host, int port) {
  const auto address = numeric_address(host, port);
  UniqueFd fd(::socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(from_errno(errno, "socket"));
  const int on = 1, off = 0;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->storage.ss_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (::bind(fd.get(), address->get(), address->length) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return std::unexpected(from_errno(errno, "listen on port " + std::to_string(port)));
  }
  return fd;
}

}  // namespace

HttpServer::HttpServer(EventLoop& loop, Handler handler)
    : loop_(loop), handler_(std::move(handler)) {}

HttpServer::~HttpServer() {
  loop_.cancel(pause_);
  if (listener_) loop_.unwatch(listener_.get());
  while (!connections_.empty()) remove(connections_.begin());
}

Result<void> HttpServer::listen(int port) {
  auto fd = listen_on("::", port);
  if (!fd) {
    auto four = listen_on("0.0.0.0", port);  // a kernel without IPv6
    if (!four) return std::unexpected(fd.error());
    fd = std::move(four);
  }
  listener_ = *std::move(fd);
  loop_.watch(listener_.get(), EPOLLIN, [this](uint32_t) { accept_all(); });
  return {};
}

void HttpServer::accept_all() {
  for (;;) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      add(std::move(fd));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return;
    // No descriptors left: looking again at once would only burn the processor.
    loop_.unwatch(listener_.get());
    pause_ = loop_.after(std::chrono::milliseconds(100), [this] {
      loop_.watch(listener_.get(), EPOLLIN, [this](uint32_t) { accept_all(); });
    });
    return;
  }
}

void HttpServer::add(UniqueFd fd) {
  if (connections_.size() == kMaxConnections) remove(connections_.begin());
  connections_.emplace_back();
  const Place place = std::prev(connections_.end());
  place->fd = std::move(fd);
  place->lifetime = loop_.after(kLifetime, [this, place] { remove(place); });
  loop_.watch(place->fd.get(), EPOLLIN, [this, place](uint32_t) { receive(place); });
}

void HttpServer::receive(Place place) {
  std::array<char, 4096> buffer;
  const ssize_t count = ::recv(place->fd.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return remove(place);
  place->in.append(buffer.data(), static_cast<size_t>(count));
  const RequestRead read = read_request(place->in);
  if (read.refusal) return answer(place, *read.refusal, false);
  if (!read.request) return;
  answer(place, handler_(*read.request), read.request->method == "HEAD");
}

void HttpServer::answer(Place place, const HttpReply& reply, bool without_body) {
  place->out = to_bytes(reply, without_body);
  loop_.watch(place->fd.get(), EPOLLOUT, [this, place](uint32_t) { send(place); });
  send(place);
}

void HttpServer::send(Place place) {
  const ssize_t count = ::send(place->fd.get(), place->out.data(), place->out.size(), MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return remove(place);
  place->out.erase(0, static_cast<size_t>(count));
  if (!place->out.empty()) return;
  // Closing with bytes unread would reset the connection, and the answer might be lost with it.
  ::shutdown(place->fd.get(), SHUT_WR);
  loop_.watch(place->fd.get(), EPOLLIN, [this, place](uint32_t) { drain(place); });
}

void HttpServer::drain(Place place) {
  constexpr size_t kMaxDrained = 64 << 10;
  std::array<char, 4096> buffer;
  const ssize_t count = ::recv(place->fd.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count > 0) place->drained += static_cast<size_t>(count);
  if (count <= 0 || place->drained > kMaxDrained) remove(place);
}

void HttpServer::remove(Place place) {
  loop_.cancel(place->lifetime);
  loop_.unwatch(place->fd.get());
  connections_.erase(place);
}

}  // namespace atq::agent
