#include "src/net/session.hpp"

#include <array>
#include <exception>

namespace atq::net {
namespace {

constexpr size_t kReadSize = 16 * 1024;
constexpr std::chrono::milliseconds kLinger{1000};

}  // namespace

class Session::Writer : public BodyWriter {
 public:
  Writer(Connection& connection, const ServerOptions& options, const Request& request)
      : connection_(connection),
        options_(options),
        http10_(request.http10),
        bodiless_(request.method == "HEAD") {
    connection_.watch_peer([this] { gone(); });
  }
  ~Writer() override { connection_.stop_watching(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Task<bool> begin(Response head) override {
    if (begun_) {
      co_return !gone_;
    }
    begun_ = true;
    const auto framing = http10_ ? Framing::Close : Framing::Chunked;
    std::string bytes = encode_head(head, framing, 0, false);
    const bool sent = co_await send(std::move(bytes));
    co_return sent;
  }

  Task<bool> write(std::string_view piece) override {
    if (!begun_) {
      Response head;
      const bool sent = co_await begin(std::move(head));
      if (!sent) {
        co_return false;
      }
    }
    if (piece.empty() || bodiless_) {
      co_return !gone_ && !bodiless_;
    }
    std::string bytes = http10_ ? std::string(piece) : encode_chunk(piece);
    const bool sent = co_await send(std::move(bytes));
    co_return sent;
  }

  bool begun() const override { return begun_; }
  void on_close(std::function<void()> callback) override {
    callback_ = std::move(callback);
    if (gone_) {
      gone();
    }
  }

  /// The end mark, which tells the client that the body is complete.
  Task<void> end() {
    if (!http10_ && !bodiless_) {
      std::string mark(kLastChunk);
      const bool sent = co_await send(std::move(mark));
      static_cast<void>(sent);
    }
  }

  void gone() {
    gone_ = true;
    if (const auto callback = std::exchange(callback_, nullptr)) {
      callback();
    }
  }
  bool is_gone() const noexcept { return gone_; }

 private:
  Task<bool> send(std::string bytes) {
    if (gone_) {
      co_return false;
    }
    connection_.set_deadline(options_.write_timeout);
    const auto sent = co_await connection_.write(bytes);
    connection_.clear_deadline();
    if (!sent && !gone_) {
      gone();
    }
    co_return sent.has_value() && !gone_;
  }

  Connection& connection_;
  const ServerOptions& options_;
  std::function<void()> callback_;
  bool http10_;
  bool bodiless_;
  bool begun_ = false;
  bool gone_ = false;
};

Response make_error_response(const ServerOptions& options, int status, const std::string& message) {
  if (options.error_response) {
    return options.error_response(status, message);
  }
  return {.status = status, .body = message + "\n"};
}

Session::Session(std::shared_ptr<Connection> connection, const Handler& handler,
                 const ServerOptions& options)
    : connection_(std::move(connection)), handler_(handler), options_(options) {}

Task<void> Session::run() {
  bool more = true;
  while (more && !finishing_) {
    busy_ = false;
    std::optional<Request> request = co_await read_request();
    if (!request) {
      break;
    }
    busy_ = true;
    more = co_await answer(std::move(*request));
  }
  connection_->close();
}

Task<std::optional<Request>> Session::read_request() {
  RequestReader reader(options_.limits);
  bool begun = false;
  bool in_body = false;
  std::array<char, kReadSize> piece;
  connection_->set_deadline(options_.idle_timeout);
  while (true) {
    if (!buffer_.empty() && !begun) {
      begun = true;
      connection_->set_deadline(options_.header_timeout);
    }
    std::expected<size_t, BadMessage> consumed = 0;
    do {
      consumed = buffer_.empty() ? 0 : reader.feed(buffer_);
      buffer_.erase(0, consumed.value_or(0));
    } while (consumed.value_or(0) > 0 && !reader.done());
    if (!consumed) {
      co_await refuse(consumed.error());
      co_return std::nullopt;
    }
    if (reader.done()) {
      connection_->clear_deadline();
      co_return reader.take();
    }
    if (buffer_.size() > options_.limits.header_bytes + kReadSize) {
      BadMessage problem{400, "a chunk's header does not end"};
      co_await refuse(std::move(problem));
      co_return std::nullopt;
    }
    if (reader.header_done() && !in_body) {
      in_body = true;
      connection_->set_deadline(options_.body_timeout);
      if (reader.expects_continue()) {
        const auto sent = co_await connection_->write("HTTP/1.1 100 Continue\r\n\r\n");
        if (!sent) {
          co_return std::nullopt;
        }
      }
    }
    const auto size = co_await connection_->read(boost::asio::buffer(piece));
    if (!size || *size == 0) {
      if (size && begun) {
        BadMessage problem{400, "connection ended in the middle of a request"};
        co_await refuse(std::move(problem));
      }
      co_return std::nullopt;
    }
    buffer_.append(piece.data(), *size);
  }
}

Task<void> Session::refuse(BadMessage problem) {
  const Response response = make_error_response(options_, problem.status, problem.message);
  connection_->set_deadline(options_.write_timeout);
  const std::string bytes =
      encode_head(response, Framing::Length, response.body.size(), false) + response.body;
  const auto sent = co_await connection_->write(bytes);
  if (sent) {
    co_await connection_->linger(kLinger);
  }
}

Task<bool> Session::answer(Request request) {
  Writer writer(*connection_, options_, request);
  writer_ = &writer;
  Response response;
  try {
    response = co_await handler_(request, writer);
  } catch (const std::exception& error) {
    options_.on_error("handler of " + request.method + " " + request.target + ": " + error.what());
    response = make_error_response(options_, 500, "internal error");
  }
  connection_->stop_watching();
  writer_ = nullptr;
  if (writer.is_gone()) {
    co_return false;
  }
  if (writer.begun()) {
    if (response.status < 400) {
      co_await writer.end();
      co_await connection_->linger(kLinger);
    }
    co_return false;
  }
  const bool more = co_await send(request, std::move(response));
  co_return more;
}

Task<bool> Session::send(const Request& request, Response response) {
  const bool keep = request.keep_alive && !finishing_;
  std::string bytes = encode_head(response, Framing::Length, response.body.size(), keep);
  if (request.method != "HEAD") {
    bytes += response.body;
  }
  connection_->set_deadline(options_.write_timeout);
  const auto sent = co_await connection_->write(bytes);
  connection_->clear_deadline();
  if (sent && !keep) {
    co_await connection_->linger(kLinger);
  }
  co_return sent.has_value() && keep;
}

void Session::finish() {
  finishing_ = true;
  if (!busy_) {
    connection_->close();
  } else if (writer_ != nullptr && writer_->begun()) {
    writer_->gone();
  }
}

void Session::abort() {
  finishing_ = true;
  if (writer_ != nullptr) {
    writer_->gone();
  }
  connection_->close();
}

}  // namespace atq::net
