#include "src/net/message_reader.hpp"

#include <limits>

// Beast 1.74 asserts that the last chunk comes in at least five bytes, which a peer need not do
// ("0\r\n", then "\r"); without the assertion it reads on rightly.
#define BOOST_DISABLE_ASSERTS
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/optional.hpp>

namespace atq::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

/// A string that grows with what has come. http::string_body reserves what Content-Length claims,
/// which a peer may set to any number.
struct GrowingBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(http::header<isRequest, Fields>& /*header*/, value_type& body) : body_(body) {}
    void init(const boost::optional<uint64_t>& /*claimed*/, error_code& code) { code = {}; }
    template <class Buffers>
    size_t put(const Buffers& buffers, error_code& code) {
      code = {};
      const size_t before = body_.size();
      for (auto it = boost::asio::buffer_sequence_begin(buffers);
           it != boost::asio::buffer_sequence_end(buffers); ++it) {
        const boost::asio::const_buffer piece(*it);
        body_.append(static_cast<const char*>(piece.data()), piece.size());
      }
      return body_.size() - before;
    }
    void finish(error_code& code) { code = {}; }

   private:
    value_type& body_;
  };
};

BadMessage describe(const error_code& code, const MessageLimits& limits) {
  if (code == http::error::header_limit) {
    return {431, "header is larger than " + std::to_string(limits.header_bytes) + " bytes"};
  }
  if (code == http::error::body_limit) {
    return {413, "body is larger than " + std::to_string(limits.body_bytes) + " bytes"};
  }
  if (code == http::error::bad_version) {
    return {505, "expected HTTP/1.0 or HTTP/1.1"};
  }
  if (code == http::error::partial_message || code == http::error::end_of_stream) {
    return {400, "connection ended in the middle of a message"};
  }
  return {400, "not an HTTP/1.1 message: " + code.message()};
}

template <class Fields>
Headers copy_headers(const Fields& fields) {
  Headers out;
  for (const auto& field : fields) {
    out.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  return out;
}

template <class Parser>
std::expected<size_t, BadMessage> feed_parser(Parser& parser, std::string_view bytes,
                                              const MessageLimits& limits) {
  error_code code;
  const size_t consumed = parser.put(boost::asio::buffer(bytes.data(), bytes.size()), code);
  if (code && code != http::error::need_more) {
    return std::unexpected(describe(code, limits));
  }
  return consumed;
}

/// What Beast lets pass and a server must not: requests that two readers may understand in two
/// ways.
std::expected<void, BadMessage> check_request(const http::request<http::string_body>& message) {
  if (message.version() >= 11 && message.count(http::field::host) != 1) {
    return std::unexpected(BadMessage{400, "expected exactly one Host header"});
  }
  if (message.count(http::field::content_length) > 1 ||
      (message.count(http::field::content_length) != 0 &&
       message.count(http::field::transfer_encoding) != 0)) {
    return std::unexpected(BadMessage{400, "the length of the body is given twice"});
  }
  if (message.count(http::field::transfer_encoding) != 0 && !message.chunked()) {
    return std::unexpected(BadMessage{501, "expected Transfer-Encoding: chunked or none"});
  }
  return {};
}

}  // namespace

struct RequestReader::Impl {
  MessageLimits limits;
  http::request_parser<http::string_body> parser;
  bool checked = false;
};

RequestReader::RequestReader(MessageLimits limits) : impl_(std::make_unique<Impl>()) {
  impl_->limits = limits;
  impl_->parser.header_limit(limits.header_bytes);
  impl_->parser.body_limit(limits.body_bytes);
}
RequestReader::~RequestReader() = default;

std::expected<size_t, BadMessage> RequestReader::feed(std::string_view bytes) {
  // The header alone first: what it says decides whether the body is looked at.
  impl_->parser.eager(impl_->checked);
  auto consumed = feed_parser(impl_->parser, bytes, impl_->limits);
  if (consumed && !impl_->checked && impl_->parser.is_header_done()) {
    impl_->checked = true;
    const auto good = check_request(impl_->parser.get());
    if (!good) {
      return std::unexpected(good.error());
    }
  }
  return consumed;
}
bool RequestReader::header_done() const { return impl_->parser.is_header_done(); }
bool RequestReader::done() const { return impl_->parser.is_done(); }
bool RequestReader::expects_continue() const {
  return header_done() &&
         boost::beast::iequals(impl_->parser.get()[http::field::expect], "100-continue");
}
Request RequestReader::take() {
  auto message = impl_->parser.release();
  Request out;
  out.method = std::string(message.method_string());
  out.target = std::string(message.target());
  out.headers = copy_headers(message);
  out.keep_alive = message.keep_alive();
  out.http10 = message.version() < 11;
  out.body = std::move(message.body());
  return out;
}

struct ResponseReader::Impl {
  MessageLimits limits;
  http::response_parser<GrowingBody> parser;
};

ResponseReader::ResponseReader(uint32_t header_bytes, bool to_head)
    : impl_(std::make_unique<Impl>()) {
  impl_->limits = {.header_bytes = header_bytes, .body_bytes = 0};
  impl_->parser.header_limit(header_bytes);
  // Not boost::none: Beast 1.74 compares a Content-Length with it, and none is less than any
  // number.
  impl_->parser.body_limit(std::numeric_limits<uint64_t>::max());
  impl_->parser.eager(true);
  impl_->parser.skip(to_head);
}
ResponseReader::~ResponseReader() = default;

std::expected<size_t, BadMessage> ResponseReader::feed(std::string_view bytes) {
  return feed_parser(impl_->parser, bytes, impl_->limits);
}
std::expected<void, BadMessage> ResponseReader::end() {
  if (!impl_->parser.got_some()) {  // which put_eof() must not be asked
    return std::unexpected(BadMessage{400, "connection ended before an answer"});
  }
  error_code code;
  impl_->parser.put_eof(code);
  if (code) {
    return std::unexpected(describe(code, impl_->limits));
  }
  return {};
}
bool ResponseReader::header_done() const { return impl_->parser.is_header_done(); }
bool ResponseReader::done() const { return impl_->parser.is_done(); }
bool ResponseReader::keep_alive() const { return impl_->parser.keep_alive(); }
int ResponseReader::status() const { return static_cast<int>(impl_->parser.get().result_int()); }
Headers ResponseReader::headers() const { return copy_headers(impl_->parser.get()); }
std::string ResponseReader::take_body() { return std::exchange(impl_->parser.get().body(), {}); }

}  // namespace atq::net
