#pragma once
// Loopback listeners for the tests.

#include <arpa/inet.h>
#include <atomic>
#include <functional>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>

#include <gtest/gtest.h>

#include "src/agent/socket.hpp"
#include "src/agent/unique_fd.hpp"

namespace atq::agent::testing_support {

/// A socket bound to a free port of `host`.
inline UniqueFd bind_to(const std::string& host, int type, int port = 0) {
  const auto address = numeric_address(host, port).value();
  UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  EXPECT_EQ(::bind(fd.get(), address.get(), address.length), 0) << host << ":" << port;
  return fd;
}

inline int port_of(const UniqueFd& fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

class UdpSocket {
 public:
  explicit UdpSocket(const std::string& host) : fd_(bind_to(host, SOCK_DGRAM)) {}
  int port() const { return port_of(fd_); }
  /// The next datagram; "(none)" after 20 s.
  std::string receive() const {
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, 20'000) != 1) return "(none)";
    char buffer[4096];
    const ssize_t count = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    return {buffer, static_cast<size_t>(count)};
  }
  /// Answers every datagram with what `reply` makes of it, in a thread of its own.
  void serve(std::function<std::string(std::string)> reply) {
    thread_ = std::jthread([this, reply = std::move(reply)](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        pollfd wait{fd_.get(), POLLIN, 0};
        if (::poll(&wait, 1, 10) != 1) continue;
        char buffer[4096];
        sockaddr_storage from{};
        socklen_t length = sizeof from;
        const ssize_t count = ::recvfrom(fd_.get(), buffer, sizeof buffer, 0,
                                         reinterpret_cast<sockaddr*>(&from), &length);
        if (count < 0) continue;
        const std::string answer = reply({buffer, static_cast<size_t>(count)});
        ::sendto(fd_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from),
                 length);
      }
    });
  }

 private:
  UniqueFd fd_;
  std::jthread thread_;
};

/// Hands each connection to `serve` (which gets the descriptor and a flag that says when to give
/// up), one after another, in a thread of its own.
class TcpServer {
 public:
  using Serve = std::function<void(int fd, const std::stop_token& stop)>;
  explicit TcpServer(Serve serve, const std::string& host = "127.0.0.1", int port = 0)
      : fd_(bind_to(host, SOCK_STREAM, port)) {
    EXPECT_EQ(::listen(fd_.get(), 64), 0);
    thread_ = std::jthread([this, serve = std::move(serve)](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        pollfd wait{fd_.get(), POLLIN, 0};
        if (::poll(&wait, 1, 10) != 1) continue;
        const UniqueFd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        ++accepted_;
        if (connection) serve(connection.get(), stop);
      }
    });
  }
  int port() const { return port_of(fd_); }
  int accepted() const { return accepted_; }

 private:
  UniqueFd fd_;
  std::atomic<int> accepted_ = 0;
  std::jthread thread_;
};

inline void send_text(int fd, const std::string& text) {
  (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

/// Reads the request's head, then answers with `text`.
inline TcpServer::Serve answer_with(std::string text) {
  return [text = std::move(text)](int fd, const std::stop_token&) {
    std::string head;
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::recv(fd, buffer, sizeof buffer, 0);
      if (count <= 0) return;
      head.append(buffer, static_cast<size_t>(count));
    }
    send_text(fd, text);
  };
}

}  // namespace atq::agent::testing_support
