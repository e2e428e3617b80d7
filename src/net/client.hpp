#pragma once
// A small HTTP/1.1 client for unix sockets and loopback TCP: one connection a request, every wait
// bounded. Runs on the executor of the calling coroutine.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "src/net/http.hpp"
#include "src/net/task.hpp"

namespace atq::net {

/// Where a server listens: a unix socket, or an IP address and port.
struct Address {
  std::filesystem::path socket;  ///< used where not empty
  std::string host = "127.0.0.1";
  uint16_t port = 0;
};

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  /// Of the request and the answer's head together.
  std::chrono::milliseconds answer_timeout{30'000};
  /// Between two pieces of a body; 0: none, for streams that may be silent for long.
  std::chrono::milliseconds idle_timeout{30'000};
  size_t max_body_bytes = 64 << 20;  ///< of fetch()
};

/// What a server answers; a status of 400 and more is no Error here.
struct Answer {
  int status = 0;
  Headers headers;
  std::string body;  ///< empty where a sink took it
};

/// Takes a piece of a body; false ends the request (which then gives Canceled).
using BodySink = std::function<bool(std::string_view)>;

/// Sends a request and reads the whole answer. Errors: NotFound: nobody listens there; Forbidden;
/// Timeout; Unavailable: the connection broke, also in the middle of the body; Invalid: no HTTP, or
/// a body larger than allowed.
Task<Result<Answer>> fetch(Address address, Request request, ClientOptions options = {});

/// The same, the body of a status below 400 given to `sink` as it comes.
Task<Result<Answer>> stream(Address address, Request request, BodySink sink,
                            ClientOptions options = {});

}  // namespace atq::net
