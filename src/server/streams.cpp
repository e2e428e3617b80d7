#include "src/server/streams.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/server/json_answers.hpp"

namespace atq::server {
namespace {

namespace asio = boost::asio;

/// A flag that can be waited for: on one thread, by one coroutine.
class Bell {
 public:
  explicit Bell(const asio::any_io_executor& executor)
      : timer_(executor, asio::steady_timer::time_point::max()) {}
  void ring() {
    rung_ = true;
    timer_.cancel();
  }
  /// Until ring() has been called since the last wait.
  net::Task<void> wait() {
    while (!rung_) {
      boost::system::error_code ignored;
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    rung_ = false;
  }

 private:
  asio::steady_timer timer_;
  bool rung_ = false;
};

/// Between the runtime, which may be silent for long, and a client, which may go meanwhile: the
/// runtime's call goes on by itself, and finds out with its next piece.
struct LogPump {
  LogPump(const asio::any_io_executor& executor, net::BodyWriter& to)
      : bell(executor), writer(&to) {}
  Bell bell;
  net::BodyWriter* writer;  ///< null: the client is gone
  bool writing = false;
  bool closed = false;
  std::optional<Result<void>> result;
};

net::Task<bool> write_piece(std::shared_ptr<LogPump> pump, std::string_view piece) {
  if (pump->writer == nullptr || pump->closed) {
    co_return false;
  }
  pump->writing = true;
  const bool sent = co_await pump->writer->write(piece);
  pump->writing = false;
  pump->bell.ring();
  co_return sent;
}

net::Task<void> run_pump(std::shared_ptr<LogPump> pump, engine::Operations& operations,
                         LogQuery query) {
  ports::Runtime::LogWriter write = [pump](std::string_view piece) {
    return write_piece(pump, piece);
  };
  pump->result = co_await operations.stream_logs(query.key, query.run, query.options, write);
}

}  // namespace

net::Task<net::Response> stream_logs(engine::Operations& operations, LogQuery query,
                                     net::BodyWriter& writer) {
  const auto executor = co_await asio::this_coro::executor;
  const auto pump = std::make_shared<LogPump>(executor, writer);
  writer.on_close([pump] {
    pump->closed = true;
    pump->bell.ring();
  });
  asio::co_spawn(executor, run_pump(pump, operations, std::move(query)),
                 [pump](const std::exception_ptr& thrown) {
                   if (thrown) {
                     pump->result = fail(ErrorKind::Internal, "reading the log failed");
                   }
                   pump->bell.ring();
                 });
  while (!pump->result && (!pump->closed || pump->writing)) {
    co_await pump->bell.wait();
  }
  pump->writer = nullptr;
  if (pump->result && !*pump->result) {
    co_return failure(pump->result->error());
  }
  co_return net::Response();
}

net::Task<net::Response> stream_changes(engine::Operations& operations, WatchQuery query,
                                        net::BodyWriter& writer) {
  const auto executor = co_await asio::this_coro::executor;
  const auto bell = std::make_shared<Bell>(executor);
  const auto subscription = operations.subscribe([bell](const engine::Change&) { bell->ring(); });
  writer.on_close([bell] { bell->ring(); });
  for (bool more = true; more;) {
    const auto changes = operations.changes_since(query.from);
    if (!changes) {
      co_return failure(changes.error());
    }
    if (!writer.begun()) {
      net::Response head{.content_type = "application/jsonl"};
      more = co_await writer.begin(std::move(head));
    }
    for (const engine::Change& change : *changes) {
      query.from = change.resource_version;
      if (!query.ns.empty() && change.key.ns != query.ns) {
        continue;
      }
      const auto now = operations.get(change.key);
      const std::string line = encode_change(change, now.get());
      more = co_await writer.write(line);
      if (!more) {
        break;
      }
    }
    if (more && changes->empty()) {
      co_await bell->wait();
      more = co_await writer.write({});
    }
  }
  co_return net::Response();
}

}  // namespace atq::server
