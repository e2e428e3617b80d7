#pragma once
// HTTP/1.1 messages as values, and their text. Pure.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.hpp"

namespace atq::net {

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};
using Headers = std::vector<Header>;

/// The value of the first header of that name, case aside; "" where there is none.
std::string_view find_header(const Headers& headers, std::string_view name) noexcept;

struct Request {
  std::string method;  ///< "GET", as sent
  std::string target;  ///< path and query, as sent
  Headers headers;
  std::string body;
  bool keep_alive = true;  ///< what version and Connection header ask for
  bool http10 = false;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  Headers headers;  ///< besides Content-Type, Content-Length, Connection and Transfer-Encoding
  std::string body;
};

/// A request's target in its parts, percent-decoded.
struct Target {
  std::vector<std::string> segments;         ///< "/v1/loadtests/" gives {"v1", "loadtests"}
  std::map<std::string, std::string> query;  ///< "a=1&b" gives {a: "1", b: ""}; '+' is a space
  bool operator==(const Target&) const = default;
};

/// Invalid: not of the form "/path?query", a broken percent sign, NUL or ill-formed UTF-8, a
/// parameter given twice.
Result<Target> parse_target(std::string_view target);

/// Percent-encodes all but RFC 3986's unreserved signs: for one segment or one query value.
std::string encode_component(std::string_view text);

/// "Not Found" for 404; "Unknown" for what HTTP does not know.
std::string_view reason_phrase(int status) noexcept;

enum class Framing {
  Length,   ///< Content-Length: body_size
  Chunked,  ///< Transfer-Encoding: chunked
  Close,    ///< the body ends with the connection (HTTP/1.0 readers)
};

/// Status line and headers with the empty line. Line breaks in header values become spaces, so that
/// no value can forge a header.
std::string encode_head(const Response& response, Framing framing, size_t body_size,
                        bool keep_alive);

/// One chunk of a chunked body; an empty piece would end the body and gives "".
std::string encode_chunk(std::string_view piece);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// Request line, headers (Host, Content-Length, and Connection: close unless `keep_alive`) and
/// body. Invalid where method, target or a header's name has a sign that would end it.
Result<std::string> encode_request(const Request& request, std::string_view host);

}  // namespace atq::net
