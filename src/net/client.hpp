#pragma once
// What an HTTP/1.1 client is told and gives, and one-shot calls: one connection a request, every
// wait bounded. They run on the executor of the calling coroutine. http_client.hpp keeps
// connections.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "src/net/cancel.hpp"
#include "src/net/http.hpp"
#include "src/net/task.hpp"
#include "src/net/tls.hpp"

namespace atq::net {

/// Where a server is and how it is spoken to.
struct Endpoint {
  std::filesystem::path socket;    ///< a unix socket; used where not empty
  std::string host = "127.0.0.1";  ///< a name or an IP address (IPv6 without brackets)
  uint16_t port = 0;
  std::shared_ptr<const TlsContext> tls;  ///< null: plain
  bool operator==(const Endpoint&) const = default;
};

struct ClientOptions {
  /// Name look-up, connection (to all addresses of the name in turn) and TLS handshake together.
  std::chrono::milliseconds connect_timeout{5'000};
  /// Of the request and the answer's head together.
  std::chrono::milliseconds answer_timeout{30'000};
  /// Between two pieces of a body; 0: none, for streams that may be silent for long.
  std::chrono::milliseconds idle_timeout{30'000};
  /// Of everything from the call to the last byte; 0: none.
  std::chrono::milliseconds total_timeout{0};
  size_t max_body_bytes = 64 << 20;    ///< of what is not given to a sink
  std::shared_ptr<Canceler> canceler;  ///< ends this request alone
  /// Asked right before the request goes out, on a new connection or again: false sends nothing and
  /// gives Canceled. Empty: always.
  std::function<bool()> may_send;
};

/// What a server answers; a status of 400 and more is no Error here.
struct Answer {
  int status = 0;
  Headers headers;
  std::string body;  ///< empty where a sink took it
};

/// Takes a piece of a body; false ends the request (which then gives Canceled).
using BodySink = std::function<bool(std::string_view)>;

/// Sends a request and reads the whole answer. Errors: NotFound: nobody listens there, or there is
/// no such host; Forbidden; Timeout; Unavailable: the connection broke, also in the middle of the
/// body; Unauthorized: TLS, the peer's certificate or ours is not trusted; Invalid: no HTTP, a head
/// above 64 KiB, or a body larger than allowed.
Task<Result<Answer>> fetch(Endpoint endpoint, Request request, ClientOptions options = {});

/// The same, the body of a status below 400 given to `sink` as it comes.
Task<Result<Answer>> stream(Endpoint endpoint, Request request, BodySink sink,
                            ClientOptions options = {});

}  // namespace atq::net
