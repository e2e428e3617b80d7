#pragma once
// HTTP/1.1 client to one server: keep-alive connections, TLS, a deadline on every operation,
// streamed bodies. Everything runs on the executor given, and is called there. client.hpp has the
// one-shot calls.

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "src/net/client.hpp"
#include "src/net/tls.hpp"

namespace atq::net {

struct PoolOptions {
  size_t max_idle = 8;                              ///< kept open between requests
  std::chrono::milliseconds keep_idle_for{60'000};  ///< an idle connection is closed after it
  /// Gives the IP addresses of a name; blocks, on a thread of its own, which may outlive the
  /// client. Empty: the system's getaddrinfo(3).
  std::function<Result<std::vector<std::string>>(const std::string& host)> find_addresses;
};

class HttpClient {
 public:
  HttpClient(boost::asio::any_io_executor executor, Endpoint endpoint, PoolOptions options = {});
  /// Call stop() first, which ends tasks under way; they do not need the client to end.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// As net::fetch(): NotFound means that nobody listens (nothing was sent), Unavailable that the
  /// connection broke (the effect is unknown), Unauthorized that the peer's certificate is not
  /// trusted. A request on a kept connection that the server closed before a byte of the answer
  /// came is sent again once on a new one where its method is GET, HEAD, PUT, PATCH or DELETE.
  Task<Result<Answer>> fetch(Request request, ClientOptions options = {});

  /// The body of a status below 400 goes to `sink` as it comes; a larger status gives the whole
  /// (bounded) body in the Answer. A connection of its own. An empty sink makes it a fetch().
  Task<Result<Answer>> stream(Request request, BodySink sink, ClientOptions options = {});

  /// For new requests (rotated certificates); idle connections to the old one are closed.
  void set_endpoint(Endpoint endpoint);

  /// Ends everything under way with Canceled, soon, and refuses what comes after. Idempotent.
  void stop();

  size_t idle_connections() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace atq::net
