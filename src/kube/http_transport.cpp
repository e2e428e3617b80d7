#include "src/kube/http_transport.hpp"

#include <set>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/kube/objects.hpp"
#include "src/kube/retry.hpp"
#include "src/kube/status.hpp"
#include "src/kube/token_bucket.hpp"
#include "src/net/http_client.hpp"

namespace atq::kube {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

Steady now() { return std::chrono::steady_clock::now(); }

milliseconds until(Steady deadline) {
  return std::max(milliseconds(1), std::chrono::ceil<milliseconds>(deadline - now()));
}

/// The words of client.hpp: that nobody listens is no NotFound of the API.
Error connection_error(Error error) {
  if (error.kind == ErrorKind::NotFound) error.kind = ErrorKind::Unavailable;
  return error;
}

Error answer_error(const net::Answer& answer) {
  return error_of(answer.status, answer.body, retry_after(answer.headers));
}

bool is_success(const net::Answer& answer) { return answer.status >= 200 && answer.status < 300; }

std::unexpected<Error> was_stopped() { return fail(ErrorKind::Canceled, "the call was stopped"); }

class HttpTransport final : public Client {
 public:
  HttpTransport(asio::any_io_executor executor, ServerUrl server,
                std::unique_ptr<Credentials> credentials, ConnectionOptions options)
      : executor_(std::move(executor)),
        server_(std::move(server)),
        credentials_(std::move(credentials)),
        options_(std::move(options)),
        bucket_(options_.queries_per_second, options_.burst) {}

  Task<Result<std::string>> call(Call call) override {
    net::BodySink none;
    auto task = exchange(std::move(call), std::move(none));
    auto answer = co_await std::move(task);
    if (!answer) co_return std::unexpected(answer.error());
    if (!is_success(*answer)) co_return std::unexpected(answer_error(*answer));
    co_return std::move(answer->body);
  }

  Task<Result<void>> stream(Call call, std::function<bool(std::string_view)> sink) override {
    bool ended = false;  // by the reader
    net::BodySink watched = [&](std::string_view piece) {
      ended = !sink(piece);
      return !ended;
    };
    auto task = exchange(std::move(call), std::move(watched));
    const auto answer = co_await std::move(task);
    if (ended) co_return Result<void>();
    if (!answer) co_return std::unexpected(answer.error());
    if (!is_success(*answer)) co_return std::unexpected(answer_error(*answer));
    co_return Result<void>();
  }

  void stop() override {
    stopped_ = true;
    credentials_->stop();
    for (auto* timer : waiting_) timer->cancel();
    for (const auto& client : {calls_, streams_}) {
      if (client) client->stop();
    }
  }

 private:
  /// Sends until there is an answer that stands.
  Task<Result<net::Answer>> exchange(Call call, net::BodySink sink);
  Task<Result<CurrentCredentials>> credentials(Steady& deadline);
  Task<Result<net::Answer>> send(const Call& call, const net::BodySink& sink,
                                 const CurrentCredentials& credentials, Steady deadline);
  Task<Result<void>> limit(const Call& call, Steady deadline);
  Task<void> sleep(const Call& call, std::chrono::microseconds time);
  bool ends(const Call& call) const {
    return stopped_ || (call.canceler && call.canceler->canceled());
  }
  void use(const CurrentCredentials& credentials);
  net::Request request_of(const Call& call, const std::string& token) const;
  void report(const Call& call, int code, Steady begun) const;

  asio::any_io_executor executor_;
  ServerUrl server_;
  std::unique_ptr<Credentials> credentials_;
  ConnectionOptions options_;
  TokenBucket bucket_;
  CurrentCredentials used_;
  // Shared with what is under way, so that another identity's requests can end by themselves.
  std::shared_ptr<net::HttpClient> calls_, streams_;
  std::set<asio::steady_timer*> waiting_;
  bool stopped_ = false;
};

Task<Result<net::Answer>> HttpTransport::exchange(Call call, net::BodySink sink) {
  Steady deadline = now() + call.timeout;
  bool renewed = false;
  for (int attempts = 1;; ++attempts) {
    const auto allowed = co_await limit(call, deadline);
    if (!allowed) co_return std::unexpected(allowed.error());
    const auto current = co_await credentials(deadline);
    if (!current) co_return std::unexpected(current.error());
    if (ends(call)) co_return was_stopped();
    const Steady begun = now();
    auto answer = co_await send(call, sink, *current, deadline);
    if (ends(call)) co_return was_stopped();
    if (!answer) co_return std::unexpected(connection_error(answer.error()));
    if (answer->status == 401 && !renewed) {
      renewed = true;
      credentials_->rejected(*current, begun);
      const auto fresh = co_await credentials(deadline);
      if (!fresh) co_return std::unexpected(fresh.error());
      if (*fresh != *current) continue;
    }
    // Waiting may not help: only the caller knows how to ask for less.
    if (answer->status == 504 && is_version_too_large(answer_error(*answer))) co_return answer;
    const auto wait = wait_before_retry(*answer, attempts);
    if (!wait || now() + *wait >= deadline) co_return answer;
    co_await sleep(call, *wait);
    if (ends(call)) co_return was_stopped();
  }
}

/// A plugin may ask a person: the time for it is its own, not the call's.
Task<Result<CurrentCredentials>> HttpTransport::credentials(Steady& deadline) {
  const Steady begun = now();
  auto current = co_await credentials_->current();
  deadline += now() - begun;
  co_return current;
}

Task<Result<net::Answer>> HttpTransport::send(const Call& call, const net::BodySink& sink,
                                              const CurrentCredentials& credentials,
                                              Steady deadline) {
  use(credentials);
  const auto client = sink ? streams_ : calls_;
  const uint64_t identity = credentials.identity;
  const auto left = until(deadline);
  const bool reads = call.method == "GET" || call.method == "HEAD";
  const net::ClientOptions options{.connect_timeout = std::min(left, milliseconds(10'000)),
                                   .answer_timeout = left,
                                   .idle_timeout = sink ? call.idle_timeout : left,
                                   .total_timeout = sink ? milliseconds(0) : left,
                                   .max_body_bytes = kMaxObjectBytes,
                                   .canceler = call.canceler,
                                   .may_send = reads ? nullptr : options_.may_write};
  const Steady begun = now();
  bool headed = false;
  net::BodySink counted = [&](std::string_view piece) {
    if (!headed) report(call, 200, begun);
    headed = true;
    return sink(piece);
  };
  auto request = request_of(call, credentials.token);
  auto task = sink ? client->stream(std::move(request), std::move(counted), options)
                   : client->fetch(std::move(request), options);
  auto answer = co_await std::move(task);
  if (!headed) report(call, answer ? answer->status : 0, begun);
  if (!answer && answer.error().kind == ErrorKind::Canceled && identity != used_.identity) {
    co_return fail(ErrorKind::Unavailable, "closed, as the client certificate has changed");
  }
  co_return answer;
}

Task<Result<void>> HttpTransport::limit(const Call& call, Steady deadline) {
  const auto wait = bucket_.take(now());
  if (wait.count() == 0) co_return Result<void>();
  if (now() + wait >= deadline) {
    bucket_.give_back();
    co_return std::unexpected(Error{ErrorKind::Throttled,
                                    "our own limit of " +
                                        std::to_string(options_.queries_per_second) +
                                        " requests a second leaves no place in time",
                                    wait});
  }
  co_await sleep(call, wait);
  if (ends(call)) co_return was_stopped();
  co_return Result<void>();
}

Task<void> HttpTransport::sleep(const Call& call, std::chrono::microseconds time) {
  if (ends(call)) co_return;
  asio::steady_timer timer(executor_, time);
  waiting_.insert(&timer);
  if (call.canceler) call.canceler->on_cancel([&timer] { timer.cancel(); });
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (call.canceler) call.canceler->on_cancel({});
  waiting_.erase(&timer);
}

void HttpTransport::use(const CurrentCredentials& credentials) {
  if (calls_ && credentials.tls == used_.tls) return;
  const net::Endpoint endpoint{
      .socket = {}, .host = server_.host, .port = server_.port, .tls = credentials.tls};
  if (!calls_) {
    calls_ = std::make_shared<net::HttpClient>(executor_, endpoint);
    streams_ = std::make_shared<net::HttpClient>(executor_, endpoint);
  } else if (credentials.identity != used_.identity) {
    // Calls end by themselves; a watch would live on as who we no longer are.
    streams_->stop();
    streams_ = std::make_shared<net::HttpClient>(executor_, endpoint);
    calls_->set_endpoint(endpoint);
  } else {
    calls_->set_endpoint(endpoint);
    streams_->set_endpoint(endpoint);
  }
  used_ = credentials;
}

net::Request HttpTransport::request_of(const Call& call, const std::string& token) const {
  net::Request request{
      .method = call.method,
      .target = server_.prefix + call.target,
      .headers = {{"User-Agent", options_.user_agent}, {"Accept", "application/json, */*"}},
      .body = call.body};
  if (!call.body.empty()) request.headers.push_back({"Content-Type", call.content_type});
  if (!token.empty()) request.headers.push_back({"Authorization", "Bearer " + token});
  return request;
}

void HttpTransport::report(const Call& call, int code, Steady begun) const {
  if (!options_.on_request) return;
  const std::string origin = server_.origin();
  options_.on_request(
      {.code = code,
       .method = call.method,
       .host = origin.substr(origin.find("//") + 2),
       .took = std::chrono::duration_cast<std::chrono::microseconds>(now() - begun)});
}

}  // namespace

std::unique_ptr<Client> make_http_transport(asio::any_io_executor executor, ServerUrl server,
                                            std::unique_ptr<Credentials> credentials,
                                            ConnectionOptions options) {
  return std::make_unique<HttpTransport>(std::move(executor), std::move(server),
                                         std::move(credentials), std::move(options));
}

}  // namespace atq::kube
