#include "src/net/http_client.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <boost/asio/use_awaitable.hpp>

#include "src/net/dial.hpp"
#include "src/net/exchange.hpp"

namespace atq::net {
namespace {

using ConnectionPtr = std::shared_ptr<Connection>;
using SteadyClock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

/// Sent twice they do what they do sent once. A PATCH of ours names the version it changes, or sets
/// what it sets.
bool may_repeat(std::string_view method) {
  static constexpr std::array<std::string_view, 5> kMethods = {"GET", "HEAD", "PUT", "PATCH",
                                                               "DELETE"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

}  // namespace

struct HttpClient::Impl : std::enable_shared_from_this<HttpClient::Impl> {
  Impl(boost::asio::any_io_executor on, Endpoint to, PoolOptions with)
      : executor(std::move(on)), endpoint(std::move(to)), options(std::move(with)) {
    if (!options.find_addresses) {
      options.find_addresses = net::find_addresses;
    }
  }
  ~Impl() { close_idle(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// `self` keeps this alive while it runs.
  Task<Result<Answer>> run(std::shared_ptr<Impl> self, Request request, BodySink sink,
                           ClientOptions limits, bool pooled);
  /// A connection under way, known to stop().
  class Lease;

  ConnectionPtr take_idle();
  /// `of`: the generation that the connection was opened in.
  void keep(const ConnectionPtr& connection, uint64_t of);
  void drop_idle(const Connection* connection);
  void close_idle();

  boost::asio::any_io_executor executor;
  Endpoint endpoint;
  PoolOptions options;
  std::vector<ConnectionPtr> idle;  ///< last used last
  std::set<ConnectionPtr> busy;
  uint64_t generation = 0;  ///< of the endpoint
  bool stopped = false;
};

class HttpClient::Impl::Lease {
 public:
  /// `canceler` (may be null) closes the connection.
  Lease(Impl& owner, ConnectionPtr connection, Canceler* canceler)
      : owner_(owner), place_(owner.busy.insert(std::move(connection)).first), canceler_(canceler) {
    if (canceler_ != nullptr) {
      canceler_->on_cancel([leased = place_->get()] { leased->close(); });
    }
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    if (canceler_ != nullptr) {
      canceler_->on_cancel({});
    }
    owner_.busy.erase(place_);
  }
  Connection& operator*() const { return **place_; }
  const ConnectionPtr& get() const { return *place_; }

 private:
  Impl& owner_;
  std::set<ConnectionPtr>::iterator place_;
  Canceler* canceler_;
};

Task<Result<Answer>> HttpClient::Impl::run(std::shared_ptr<Impl> /*self*/, Request request,
                                           BodySink sink, ClientOptions limits, bool pooled) {
  request.keep_alive = pooled && options.max_idle > 0;
  std::optional<SteadyClock::time_point> until;
  if (limits.total_timeout.count() > 0) {
    until = SteadyClock::now() + limits.total_timeout;
  }
  for (bool again = false;; again = true) {
    const Endpoint to = endpoint;
    const uint64_t opened_in = generation;
    const std::string name = name_of(to);
    const auto bytes = encode_request(request, host_header(to));
    if (!bytes) {
      co_return fail_with(name, bytes.error());
    }
    if (stopped || (limits.canceler && limits.canceler->canceled())) {
      co_return fail(ErrorKind::Canceled, name + (stopped ? ": the client has been stopped"
                                                          : ": the call was canceled"));
    }
    ConnectionPtr kept = pooled && !again ? take_idle() : nullptr;
    const bool is_kept = kept != nullptr;
    auto fresh = is_kept ? nullptr : std::make_shared<Connection>(Connection::Socket(executor));
    const Lease connection(*this, is_kept ? std::move(kept) : std::move(fresh),
                           limits.canceler.get());
    if (!is_kept) {
      auto limit = limits.connect_timeout;
      if (until) {
        limit = std::min(limit, std::max(Milliseconds(0), std::chrono::duration_cast<Milliseconds>(
                                                              *until - SteadyClock::now())));
      }
      const auto opened = co_await dial(*connection, to, options.find_addresses, limit);
      if (!opened) {
        (*connection).close();
        co_return fail_with(name, opened.error());
      }
    }
    if (limits.may_send && !limits.may_send()) {
      if (pooled) {
        keep(connection.get(), opened_in);
      }
      co_return fail(ErrorKind::Canceled, name + ": not sent, as it may not be any more");
    }
    Exchange exchange(*connection, sink, limits, until);
    auto answer = co_await exchange.run(*bytes, request.method == "HEAD");
    if (answer && pooled && exchange.reusable()) {
      keep(connection.get(), opened_in);
    } else {
      (*connection).close();
    }
    if (answer) {
      co_return answer;
    }
    const bool repeat = is_kept && exchange.untouched() &&
                        answer.error().kind == ErrorKind::Unavailable && may_repeat(request.method);
    if (!repeat) {
      co_return fail_with(name, answer.error());
    }
  }
}

ConnectionPtr HttpClient::Impl::take_idle() {
  while (!idle.empty()) {
    const auto connection = std::move(idle.back());
    idle.pop_back();
    connection->stop_watching();
    if (connection->at_rest()) {
      connection->clear_deadline();
      return connection;
    }
    connection->close();
  }
  return nullptr;
}

void HttpClient::Impl::keep(const ConnectionPtr& connection, uint64_t of) {
  if (stopped || of != generation || options.max_idle == 0 || !connection->at_rest()) {
    connection->close();
    return;
  }
  if (idle.size() >= options.max_idle) {
    drop_idle(idle.front().get());
  }
  idle.push_back(connection);
  connection->set_deadline(options.keep_idle_for);
  connection->watch_rest([weak = weak_from_this(), which = connection.get()] {
    if (const auto self = weak.lock()) {
      self->drop_idle(which);
    }
  });
}

void HttpClient::Impl::drop_idle(const Connection* connection) {
  const auto found = std::ranges::find(idle, connection, &ConnectionPtr::get);
  if (found != idle.end()) {
    const auto dropped = std::move(*found);
    idle.erase(found);
    dropped->stop_watching();
    dropped->close();
  }
}

void HttpClient::Impl::close_idle() {
  while (!idle.empty()) {
    drop_idle(idle.back().get());
  }
}

HttpClient::HttpClient(boost::asio::any_io_executor executor, Endpoint endpoint,
                       PoolOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(endpoint), std::move(options))) {}
HttpClient::~HttpClient() { stop(); }

Task<Result<Answer>> HttpClient::fetch(Request request, ClientOptions options) {
  BodySink whole;
  return impl_->run(impl_, std::move(request), std::move(whole), options, true);
}

Task<Result<Answer>> HttpClient::stream(Request request, BodySink sink, ClientOptions options) {
  return impl_->run(impl_, std::move(request), std::move(sink), options, false);
}

void HttpClient::set_endpoint(Endpoint endpoint) {
  if (endpoint == impl_->endpoint) {
    return;
  }
  ++impl_->generation;
  impl_->endpoint = std::move(endpoint);
  impl_->close_idle();
}

void HttpClient::stop() {
  impl_->stopped = true;
  impl_->close_idle();
  for (const auto& connection : impl_->busy) {
    connection->close();
  }
}

size_t HttpClient::idle_connections() const noexcept { return impl_->idle.size(); }

}  // namespace atq::net
