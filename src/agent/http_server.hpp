#pragma once
// A tiny HTTP/1.1 server on the agent's loop: one short request a connection, answered at once.

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "src/agent/event_loop.hpp"
#include "src/agent/http_request.hpp"
#include "src/base/error.hpp"

namespace atq::agent {

/// Bounded: kMaxConnections (the oldest goes for a new one), kLifetime each, kMaxRequestHead bytes.
class HttpServer {
 public:
  static constexpr size_t kMaxConnections = 64;
  /// Long enough for a starter that connects before it knows that everybody is there.
  static constexpr std::chrono::seconds kLifetime{60};
  /// Called in the loop. What it returns is sent before the loop does anything else, as far as
  /// the socket takes it at once, so that also a handler that stops the loop is heard.
  using Handler = std::function<HttpReply(const HttpRequest&)>;

  HttpServer(EventLoop& loop, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Listens on all addresses, IPv6 and IPv4. "listen on port 80: Permission denied".
  Result<void> listen(int port);

 private:
  struct Connection {
    UniqueFd fd;
    std::string in, out;
    size_t drained = 0;
    EventLoop::Timer lifetime;
  };
  using Place = std::list<Connection>::iterator;

  void accept_all();
  void add(UniqueFd fd);
  void receive(Place place);
  void answer(Place place, const HttpReply& reply, bool without_body);
  void send(Place place);
  void drain(Place place);
  void remove(Place place);

  EventLoop& loop_;
  const Handler handler_;
  UniqueFd listener_;
  EventLoop::Timer pause_;
  std::list<Connection> connections_;  ///< the oldest first
};

}  // namespace atq::agent
