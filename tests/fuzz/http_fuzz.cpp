// Bytes that somebody sends to the server, or a server to the client. The first byte says in what
// pieces they come.
#include <optional>

#include "src/net/message_reader.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);

namespace {

using namespace atq;

struct Outcome {
  int status = 0;  ///< 0: no error
  std::optional<net::Request> request;
};

Outcome read_request(std::string_view bytes, size_t piece) {
  const net::MessageLimits limits{.header_bytes = 512, .body_bytes = 1024};
  net::RequestReader reader(limits);
  std::string buffer;
  while (!reader.done()) {
    const auto fed = reader.feed(buffer);
    if (!fed) {
      fuzz::check(fed.error().status >= 400 && fed.error().status < 600, "an error has its status");
      return {fed.error().status, std::nullopt};
    }
    fuzz::check(*fed <= buffer.size(), "no more is consumed than was given");
    buffer.erase(0, *fed);
    if (reader.done()) break;
    if (*fed > 0 && !buffer.empty()) continue;
    if (bytes.empty()) return {};
    buffer += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    fuzz::check(buffer.size() <= 64 * 1024, "what is held back is bounded");
  }
  Outcome outcome{0, reader.take()};
  fuzz::check(outcome.request->body.size() <= limits.body_bytes, "the body is bounded");
  return outcome;
}

void read_response(std::string_view bytes, size_t piece) {
  net::ResponseReader reader(512);
  std::string buffer;
  while (!reader.done()) {
    const auto fed = reader.feed(buffer);
    if (!fed) return;
    fuzz::check(*fed <= buffer.size(), "no more is consumed than was given");
    buffer.erase(0, *fed);
    (void)reader.take_body();
    if (*fed > 0 && !buffer.empty()) continue;
    if (bytes.empty()) {
      (void)reader.end();
      return;
    }
    buffer += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  (void)reader.headers();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = 1 + data[0] % 32U;
  const auto bytes = fuzz::text_of(data + 1, size - 1);
  const auto whole = read_request(bytes, bytes.size() + 1);
  const auto pieces = read_request(bytes, piece);
  if (whole.request && pieces.request) {
    fuzz::check(whole.request->target == pieces.request->target &&
                    whole.request->body == pieces.request->body &&
                    whole.request->headers.size() == pieces.request->headers.size(),
                "a request is the same however its bytes come");
  }
  read_response(bytes, piece);
  return 0;
}
