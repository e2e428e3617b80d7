#include "src/net/http.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "src/base/text.hpp"

namespace atq::net {
namespace {

char lower(char sign) noexcept {
  return sign >= 'A' && sign <= 'Z' ? static_cast<char>(sign - 'A' + 'a') : sign;
}

bool equal_fold(std::string_view left, std::string_view right) noexcept {
  return std::ranges::equal(left, right, {}, lower, lower);
}

int hex_value(char sign) noexcept {
  if (sign >= '0' && sign <= '9') {
    return sign - '0';
  }
  const char letter = lower(sign);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/// nullopt for a broken escape or bytes that are no text.
std::optional<std::string> decode_component(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[at] != '%') {
      out += text[at];
    } else {
      const int high = at + 1 < text.size() ? hex_value(text[at + 1]) : -1;
      const int low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
      if (high < 0 || low < 0) {
        return std::nullopt;
      }
      out += static_cast<char>(high * 16 + low);
      at += 2;
    }
  }
  if (!is_clean_utf8(out)) {
    return std::nullopt;
  }
  return out;
}

Result<void> parse_query(std::string_view query, Target& out) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) {
      continue;
    }
    const size_t equals = std::min(pair.find('='), pair.size());
    auto name = decode_component(pair.substr(0, equals), true);
    auto value = decode_component(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name || !value) {
      return fail(ErrorKind::Invalid, "query parameter is not percent-encoded UTF-8");
    }
    if (!out.query.emplace(std::move(*name), std::move(*value)).second) {
      return fail(ErrorKind::Invalid, "a query parameter is given twice");
    }
  }
  return {};
}

bool is_word(std::string_view text) noexcept {
  return !text.empty() &&
         std::ranges::all_of(text, [](char sign) { return sign > ' ' && sign <= '~'; });
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (const char sign : value) {
    out += sign == '\r' || sign == '\n' || sign == '\0' ? ' ' : sign;
  }
  out += "\r\n";
}

}  // namespace

std::string_view find_header(const Headers& headers, std::string_view name) noexcept {
  const auto found = std::ranges::find_if(
      headers, [&](const Header& header) { return equal_fold(header.name, name); });
  return found == headers.end() ? std::string_view() : std::string_view(found->value);
}

Result<Target> parse_target(std::string_view target) {
  if (!target.starts_with('/')) {
    return fail(ErrorKind::Invalid, "request target does not start with /");
  }
  const size_t mark = std::min(target.find('?'), target.size());
  Target out;
  for (const std::string& part : split(target.substr(0, mark), '/')) {
    if (part.empty()) {
      continue;
    }
    auto segment = decode_component(part, false);
    if (!segment) {
      return fail(ErrorKind::Invalid, "request path is not percent-encoded UTF-8");
    }
    out.segments.push_back(std::move(*segment));
  }
  const auto query = parse_query(target.substr(std::min(mark + 1, target.size())), out);
  if (!query) {
    return std::unexpected(query.error());
  }
  return out;
}

std::string encode_component(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char sign : text) {
    const char letter = lower(sign);
    if ((letter >= 'a' && letter <= 'z') || (sign >= '0' && sign <= '9') || sign == '-' ||
        sign == '.' || sign == '_' || sign == '~') {
      out += sign;
    } else {
      const auto byte = static_cast<unsigned char>(sign);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::string_view reason_phrase(int status) noexcept {
  struct Phrase {
    int status;
    std::string_view text;
  };
  static constexpr auto kPhrases = std::to_array<Phrase>({
      {200, "OK"},
      {202, "Accepted"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {413, "Payload Too Large"},
      {422, "Unprocessable Entity"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  });
  const auto* const found = std::ranges::find(kPhrases, status, &Phrase::status);
  return found == kPhrases.end() ? "Unknown" : found->text;
}

std::string encode_head(const Response& response, Framing framing, size_t body_size,
                        bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  out.append(reason_phrase(response.status)).append("\r\n");
  if (!response.content_type.empty()) {
    append_header(out, "Content-Type", response.content_type);
  }
  for (const Header& header : response.headers) {
    append_header(out, header.name, header.value);
  }
  if (framing == Framing::Length) {
    append_header(out, "Content-Length", std::to_string(body_size));
  } else if (framing == Framing::Chunked) {
    append_header(out, "Transfer-Encoding", "chunked");
  }
  append_header(out, "Connection", keep_alive ? "keep-alive" : "close");
  return out += "\r\n";
}

std::string encode_chunk(std::string_view piece) {
  if (piece.empty()) {
    return {};
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string size;
  for (size_t rest = piece.size(); rest > 0; rest /= 16) {
    size.insert(size.begin(), kDigits[rest % 16]);
  }
  std::string out;
  out.reserve(size.size() + piece.size() + 4);
  return out.append(size).append("\r\n").append(piece).append("\r\n");
}

Result<std::string> encode_request(const Request& request, std::string_view host) {
  const bool whole = is_word(request.method) && is_word(request.target) &&
                     std::ranges::all_of(request.headers, [](const Header& header) {
                       return is_word(header.name) && header.name.find(':') == std::string::npos;
                     });
  if (!whole) {
    return fail(ErrorKind::Invalid,
                "request: method, target and header names are words of printable ASCII");
  }
  std::string out = request.method + ' ' + request.target + " HTTP/1.1\r\n";
  append_header(out, "Host", host);
  for (const Header& header : request.headers) {
    append_header(out, header.name, header.value);
  }
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    append_header(out, "Content-Length", std::to_string(request.body.size()));
  }
  if (!request.keep_alive) {
    append_header(out, "Connection", "close");
  }
  return out.append("\r\n").append(request.body);
}

}  // namespace atq::net
