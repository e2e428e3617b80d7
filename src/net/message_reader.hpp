#pragma once
// Reads HTTP/1.1 messages from bytes as they come, with bounds; no sockets. Beast's parser stands
// behind it and in no header. What feed() does not consume must be offered again with more bytes
// behind it.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "src/net/http.hpp"

namespace atq::net {

struct MessageLimits {
  uint32_t header_bytes = 8 * 1024;
  uint64_t body_bytes = 1024 * 1024;
};

/// What is wrong with a message: the status to answer with (400, 413, 431, 501, 505) and why.
struct BadMessage {
  int status = 400;
  std::string message;
};

/// One request.
class RequestReader {
 public:
  explicit RequestReader(MessageLimits limits);
  ~RequestReader();

  /// How many of `bytes` were consumed: 0 where more are needed to go on. After an error the
  /// connection cannot be used further.
  std::expected<size_t, BadMessage> feed(std::string_view bytes);
  bool header_done() const;
  bool done() const;
  /// The header asks for "100 Continue" before it sends its body.
  bool expects_continue() const;
  /// The whole request; call once, when done.
  Request take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One response. The body is taken in pieces, so that it may be endless.
class ResponseReader {
 public:
  /// `to_head`: the answer to a HEAD request, which has no body whatever its header says.
  explicit ResponseReader(uint32_t header_bytes = 64 * 1024, bool to_head = false);
  ~ResponseReader();

  std::expected<size_t, BadMessage> feed(std::string_view bytes);
  /// The connection has ended: an error unless the message may end so.
  std::expected<void, BadMessage> end();
  bool header_done() const;
  bool done() const;
  /// Once done: the connection may be used for another request.
  bool keep_alive() const;
  int status() const;
  Headers headers() const;
  /// What has come of the body since the last call.
  std::string take_body();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::net
