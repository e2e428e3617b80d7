#include "src/net/exchange.hpp"

#include <algorithm>

namespace atq::net {
namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr uint32_t kMaxHead = 64 * 1024;
/// Of what the reader holds back: a head, a chunk's header, trailers.
constexpr size_t kMaxHeldBack = kMaxHead + 16 * 1024;
constexpr int kMaxInterim = 16;

}  // namespace

Exchange::Exchange(Connection& connection, const BodySink& sink, const ClientOptions& options,
                   std::optional<TimePoint> until)
    : connection_(connection), sink_(sink), options_(options), until_(until) {}

Task<Result<Answer>> Exchange::run(const std::string& request, bool to_head) {
  to_head_ = to_head;
  reader_.emplace(kMaxHead, to_head);
  set_deadline(options_.answer_timeout);
  const auto sent = co_await connection_.write(request);
  // A server that refuses a request may close before it has read all: its answer counts.
  if (!sent && sent.error().kind != ErrorKind::Unavailable) {
    co_return std::unexpected(sent.error());
  }
  while (true) {
    const auto done = advance();
    if (!done) {
      co_return std::unexpected(done.error());
    }
    if (*done) {
      connection_.clear_deadline();
      reusable_ = sent && reader_->keep_alive() && buffer_.empty() && answer_.status != 101;
      co_return std::move(answer_);
    }
    const auto more = co_await read_more();
    if (!more) {
      co_return std::unexpected(more.error());
    }
  }
}

/// Reads what there is; true: the answer is whole.
Result<bool> Exchange::advance() {
  while (true) {
    const auto consumed = buffer_.empty() || reader_->done() ? size_t{0} : reader_->feed(buffer_);
    if (!consumed) {
      return fail(ErrorKind::Invalid, consumed.error().message);
    }
    buffer_.erase(0, *consumed);
    if (reader_->done() && reader_->status() < 200 && reader_->status() != 101) {
      if (++interim_ > kMaxInterim) {
        return fail(ErrorKind::Invalid, "the server sends interim answers without an end");
      }
      reader_.emplace(kMaxHead, to_head_);
      continue;
    }
    const auto taken = take_over();
    if (!taken) {
      return std::unexpected(taken.error());
    }
    if (reader_->done()) {
      return true;
    }
    if (*consumed == 0 || buffer_.empty()) {
      break;
    }
  }
  if (buffer_.size() > kMaxHeldBack) {
    return fail(ErrorKind::Invalid, "a chunk's header or trailer does not end");
  }
  return false;
}

Result<void> Exchange::take_over() {
  if (!reader_->header_done() || reader_->status() < 101) {
    return {};
  }
  if (answer_.status == 0) {
    answer_.status = reader_->status();
    answer_.headers = reader_->headers();
  }
  const std::string piece = reader_->take_body();
  if (sink_ && answer_.status < 400) {
    if (!piece.empty() && !sink_(piece)) {
      return fail(ErrorKind::Canceled, "ended by the reader");
    }
  } else if (answer_.body.size() + piece.size() > options_.max_body_bytes) {
    return fail(ErrorKind::Invalid,
                "the answer is larger than " + std::to_string(options_.max_body_bytes) + " bytes");
  } else {
    answer_.body += piece;
  }
  return {};
}

Task<Result<void>> Exchange::read_more() {
  if (reader_->header_done()) {
    set_deadline(options_.idle_timeout);
  }
  const auto size = co_await connection_.read(boost::asio::buffer(piece_));
  if (!size) {
    co_return std::unexpected(size.error());
  }
  untouched_ = untouched_ && *size == 0;
  buffer_.append(piece_.data(), *size);
  if (*size == 0) {
    const auto ended = reader_->end();
    if (!ended || !reader_->header_done()) {
      co_return fail(ErrorKind::Unavailable, "the connection broke before the answer was whole");
    }
  }
  co_return Result<void>();
}

void Exchange::set_deadline(Milliseconds timeout) {
  if (until_) {
    const auto left =
        std::chrono::duration_cast<Milliseconds>(*until_ - std::chrono::steady_clock::now());
    const auto bounded = std::max(left, Milliseconds(0));
    connection_.set_deadline(timeout.count() == 0 ? bounded : std::min(timeout, bounded));
  } else if (timeout.count() == 0) {
    connection_.clear_deadline();
  } else {
    connection_.set_deadline(timeout);
  }
}

}  // namespace atq::net
