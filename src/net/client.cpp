#include "src/net/client.hpp"

#include <array>
#include <optional>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/net/connection.hpp"
#include "src/net/message_reader.hpp"
#include "src/net/unix_socket.hpp"

namespace atq::net {
namespace {

namespace asio = boost::asio;
using Endpoint = asio::generic::stream_protocol::endpoint;

std::string name_of(const Address& address) {
  return address.socket.empty() ? address.host + ":" + std::to_string(address.port)
                                : address.socket.string();
}

Task<Result<void>> connect(Connection& connection, Address address, ClientOptions options) {
  std::optional<Result<UnixAddress>> path;
  Endpoint endpoint;
  if (address.socket.empty()) {
    boost::system::error_code code;
    const auto ip = asio::ip::make_address(address.host, code);
    if (code) {
      co_return fail(ErrorKind::Invalid, address.host + ": expected an IP address");
    }
    endpoint = asio::ip::tcp::endpoint(ip, address.port);
  } else {
    path.emplace(UnixAddress::of(address.socket));
    if (!*path) {
      co_return std::unexpected(path->error());
    }
    endpoint = asio::local::stream_protocol::endpoint((*path)->path());
  }
  const auto connected = co_await connection.connect(endpoint, options.connect_timeout);
  co_return connected;
}

/// Reads one answer, giving its body to `take`.
class AnswerReading {
 public:
  AnswerReading(Connection& connection, const ClientOptions& options, bool to_head)
      : connection_(connection), options_(options), reader_(64 * 1024, to_head) {}

  Task<Result<Answer>> run(const BodySink& sink) {
    while (true) {
      const auto consumed = buffer_.empty() ? 0 : reader_.feed(buffer_);
      if (!consumed) {
        co_return fail(ErrorKind::Invalid, consumed.error().message);
      }
      buffer_.erase(0, *consumed);
      const auto taken = take_over(sink);
      if (!taken) {
        co_return std::unexpected(taken.error());
      }
      if (reader_.header_done() && reader_.done()) {
        co_return std::move(answer_);
      }
      if (*consumed > 0 && !buffer_.empty()) {
        continue;
      }
      const auto more = co_await read_more();
      if (!more) {
        co_return std::unexpected(more.error());
      }
    }
  }

 private:
  Result<void> take_over(const BodySink& sink) {
    if (!reader_.header_done()) {
      return {};
    }
    if (answer_.status == 0) {
      answer_.status = reader_.status();
      answer_.headers = reader_.headers();
    }
    const std::string piece = reader_.take_body();
    if (sink && answer_.status < 400) {
      if (!piece.empty() && !sink(piece)) {
        return fail(ErrorKind::Canceled, "ended by the reader");
      }
    } else if (answer_.body.size() + piece.size() > options_.max_body_bytes) {
      return fail(ErrorKind::Invalid, "the answer is larger than " +
                                          std::to_string(options_.max_body_bytes) + " bytes");
    } else {
      answer_.body += piece;
    }
    return {};
  }

  Task<Result<void>> read_more() {
    if (reader_.header_done() && options_.idle_timeout.count() == 0) {
      connection_.clear_deadline();
    } else if (reader_.header_done()) {
      connection_.set_deadline(options_.idle_timeout);
    }
    std::array<char, 16 * 1024> piece;
    const auto size = co_await connection_.read(asio::buffer(piece));
    if (!size) {
      co_return std::unexpected(size.error());
    }
    buffer_.append(piece.data(), *size);
    if (*size == 0) {
      const auto ended = reader_.end();
      if (!ended || !reader_.header_done()) {
        co_return fail(ErrorKind::Unavailable, "the connection broke before the answer was whole");
      }
    }
    co_return Result<void>();
  }

  Connection& connection_;
  const ClientOptions& options_;
  ResponseReader reader_;
  std::string buffer_;
  Answer answer_;
};

}  // namespace

Task<Result<Answer>> stream(Address address, Request request, BodySink sink,
                            ClientOptions options) {
  const auto executor = co_await asio::this_coro::executor;
  const auto connection = std::make_shared<Connection>(Connection::Socket(executor));
  const std::string name = name_of(address);
  const auto connected = co_await connect(*connection, address, options);
  if (!connected) {
    co_return fail_with(name, connected.error());
  }
  connection->set_deadline(options.answer_timeout);
  const std::string bytes = encode_request(request, address.socket.empty() ? name : "localhost");
  const auto sent = co_await connection->write(bytes);
  // A server that refuses a request may close before it has read all: its answer counts.
  if (!sent && sent.error().kind != ErrorKind::Unavailable) {
    co_return fail_with(name, sent.error());
  }
  AnswerReading reading(*connection, options, request.method == "HEAD");
  auto answer = co_await reading.run(sink);
  connection->close();
  if (!answer) {
    co_return fail_with(name, answer.error());
  }
  co_return answer;
}

Task<Result<Answer>> fetch(Address address, Request request, ClientOptions options) {
  BodySink whole;
  auto answer = co_await stream(std::move(address), std::move(request), std::move(whole), options);
  co_return answer;
}

}  // namespace atq::net
