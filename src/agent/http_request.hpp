#pragma once
// Reads the head of one HTTP/1.x request from somebody nobody knows. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace atq::agent {

struct HttpRequest {
  std::string method;
  std::string path;  ///< as it stands, without the query
  std::string query;
  /// The decoded value of NAME in the query; "" where it is not there.
  std::string query_value(std::string_view name) const;
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

/// What has come so far: a whole head, something that is refused, or (both unset) not enough.
struct RequestRead {
  std::optional<HttpRequest> request;
  std::optional<HttpReply> refusal;
};

inline constexpr size_t kMaxRequestHead = 8 << 10;

/// Bodies are not read: no request of ours has one.
RequestRead read_request(std::string_view bytes);

/// The bytes of an answer after which the connection is closed.
std::string to_bytes(const HttpReply& reply, bool without_body);

/// %XX becomes its byte; what is no escape stays.
std::string percent_decode(std::string_view text);
/// Everything but letters, digits and -._~ as %XX (RFC 3986, 2.3).
std::string percent_encode(std::string_view text);

}  // namespace atq::agent
