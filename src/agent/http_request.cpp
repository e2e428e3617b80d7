#include "src/agent/http_request.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "src/base/text.hpp"

namespace atq::agent {
namespace {

RequestRead refuse(int status, std::string why) {
  return {.request = {}, .refusal = HttpReply{.status = status, .body = std::move(why) + "\n"}};
}

bool is_graphic(std::string_view text) {
  return std::ranges::all_of(text, [](char sign) { return sign > ' ' && sign < 0x7f; });
}

bool is_unreserved(char sign) {
  return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z') ||
         (sign >= '0' && sign <= '9') || std::string_view("-._~").find(sign) != std::string::npos;
}

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

std::string HttpRequest::query_value(std::string_view name) const {
  for (const std::string& pair : split(query, '&')) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos || std::string_view(pair).substr(0, equals) != name) continue;
    return percent_decode(std::string_view(pair).substr(equals + 1));
  }
  return {};
}

RequestRead read_request(std::string_view bytes) {
  const size_t end = std::min(bytes.find("\r\n\r\n"), bytes.find("\n\n"));
  if (std::min(end, bytes.size()) > kMaxRequestHead) {
    return refuse(431, "the head is larger than " + std::to_string(kMaxRequestHead) + " bytes");
  }
  if (end == std::string_view::npos) return {};
  std::string_view line = bytes.substr(0, bytes.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  const size_t first = line.find(' ');
  const size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos || !line.substr(second + 1).starts_with("HTTP/1.")) {
    return refuse(400, "not an HTTP/1 request");
  }
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  if (method.empty() || !target.starts_with('/') || !is_graphic(method) || !is_graphic(target)) {
    return refuse(400, "not an HTTP/1 request");
  }
  const size_t mark = target.find('?');
  HttpRequest request{.method = std::string(method), .path = std::string(target.substr(0, mark))};
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  return {.request = std::move(request), .refusal = {}};
}

std::string to_bytes(const HttpReply& reply, bool without_body) {
  return "HTTP/1.1 " + std::to_string(reply.status) + " " + reason_of(reply.status) +
         "\r\nContent-Type: " + reply.content_type +
         "\r\nContent-Length: " + std::to_string(reply.body.size()) +
         "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" +
         (without_body ? "" : reply.body);
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t byte = 0;
    const char* const begin = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(begin, begin + 2, byte, 16).ptr == begin + 2) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char sign : text) {
    if (is_unreserved(sign)) {
      out += sign;
    } else {
      const auto byte = static_cast<unsigned char>(sign);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 0xf]};
    }
  }
  return out;
}

}  // namespace atq::agent
