#pragma once
// A server on a thread of its own, and raw blocking sockets to plague it with.

#include <chrono>
#include <filesystem>
#include <future>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "src/net/client.hpp"
#include "src/net/server.hpp"

namespace atq::net::test {

/// A fresh folder, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "atq-net-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Runs an io_context on a thread.
class Loop {
 public:
  Loop() : guard_(context_.get_executor()), thread_([this] { context_.run(); }) {}
  ~Loop() {
    guard_.reset();
    context_.stop();
    thread_.join();
  }
  template <class T>
  T run(Task<T> task) {
    return boost::asio::co_spawn(context_, std::move(task), boost::asio::use_future).get();
  }
  template <class F>
  auto call(F function) {
    std::promise<decltype(function())> promise;
    boost::asio::post(context_, [&] { promise.set_value(function()); });
    return promise.get_future().get();
  }
  boost::asio::io_context& context() { return context_; }

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::thread thread_;
};

/// A blocking client that sends what no client should.
class RawClient {
 public:
  explicit RawClient(const std::filesystem::path& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), connected_(other.connected_) {}
  ~RawClient() { close(); }

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        return false;
      }
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void shut() const { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) {
      ::close(std::exchange(socket_, -1));
    }
  }
  /// Until the server closes (or resets), or `needle` has come, at most 20 s.
  std::string read(std::string_view needle = {}) const {
    std::string out;
    pollfd wait{socket_, POLLIN, 0};
    while (needle.empty() || out.find(needle) == std::string::npos) {
      char piece[4096];
      if (::poll(&wait, 1, 20'000) <= 0) {
        return out + "<time-out>";
      }
      const auto size = ::recv(socket_, piece, sizeof piece, 0);
      if (size <= 0) {
        return out;
      }
      out.append(piece, static_cast<size_t>(size));
    }
    return out;
  }

 private:
  int socket_;
  bool connected_ = false;
};

/// A server on a unix socket.
class Service {
 public:
  explicit Service(Handler handler, ServerOptions options = {}) {
    server_.emplace(loop_.context().get_executor(), std::move(handler), std::move(options));
    const auto listening = loop_.call([&] { return server_->listen_unix(path()); });
    if (!listening) {
      throw std::runtime_error(listening.error().message);
    }
  }
  ~Service() {
    stop(std::chrono::milliseconds(0));
    loop_.call([&] {
      server_.reset();
      return true;
    });
  }
  void stop(std::chrono::milliseconds grace) { loop_.run(server_->stop(grace)); }
  std::filesystem::path path() const { return folder_ / "test.sock"; }
  RawClient connect() const { return RawClient(path()); }
  Loop& loop() { return loop_; }
  Server& server() { return *server_; }
  size_t connections() {
    return loop_.call([&] { return server_->connections(); });
  }

 private:
  Folder folder_;
  Loop loop_;
  std::optional<Server> server_;
};

inline Task<Response> echo(Request request, BodyWriter&) {
  co_return Response{.body = request.method + " " + request.target + " " + request.body + "\n"};
}

/// Asks `condition` until it holds, at most 10 s.
template <class F>
bool eventually(F condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) {
      return true;
    }
    std::this_thread::yield();
  }
  return false;
}

}  // namespace atq::net::test
