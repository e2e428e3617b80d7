#include "tests/fakes/kube/fake_api.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "src/kube/status.hpp"
#include "tests/fakes/kube/fake_watch.hpp"

namespace atq::fakes::kube {

namespace {

std::string method_of(const atq::kube::Call& call) {
  return call.method == "GET" && call.target.contains("watch=true") ? "WATCH" : call.method;
}

std::string collection_of(const atq::kube::Resource& resource) {
  return std::string(resource.group) + '/' + std::string(resource.plural);
}

ApiRequest request_of(const atq::kube::Resource& resource, std::string ns, std::string method) {
  return {.method = std::move(method),
          .collection = collection_of(resource),
          .api_version = atq::kube::api_version(resource),
          .ns = std::move(ns)};
}

}  // namespace

class FakeApi::Connection final : public atq::kube::Client {
 public:
  Connection(FakeApi& api, std::string name) : api_(api), name_(std::move(name)) {}

  Task<Result<std::string>> call(atq::kube::Call call) override {
    const size_t record = note(call);
    co_await boost::asio::post(api_.loop_, boost::asio::use_awaitable);
    const TimePoint deadline = api_.clock_.now() + call.timeout;
    const auto fault = api_.take_fault(name_, call);
    if (auto trouble = co_await before(fault, deadline)) {
      co_return std::unexpected(*trouble);
    }
    const auto request = parse_call(call);
    ApiAnswer answer{404, "404 page not found\n"};
    const bool refused = fault && fault->status > 0 && !fault->after_effect;
    if (request && !refused) {
      answer = api_.state_.handle(*request);
    }
    if (fault && !fault->slow_only) {
      if (fault->hang) {
        co_return std::unexpected(co_await time_out(deadline));
      }
      if (fault->status == 0) {
        co_return fail(ErrorKind::Unavailable, "the connection broke");
      }
      answer = {fault->status, status_text(fault->status, fault->reason, "an injected fault",
                                           fault->retry_after_seconds)};
    }
    if (record < api_.calls_.size()) {
      api_.calls_[record].status = answer.status;
    }
    if (!answer.ok()) {
      co_return std::unexpected(atq::kube::error_of(answer.status, answer.body));
    }
    co_return std::move(answer.body);
  }

  Task<Result<void>> stream(atq::kube::Call call,
                            std::function<bool(std::string_view)> sink) override {
    const size_t record = note(call);
    co_await boost::asio::post(api_.loop_, boost::asio::use_awaitable);
    const auto fault = api_.take_fault(name_, call);
    if (auto trouble = co_await before(fault, api_.clock_.now() + std::chrono::seconds{10})) {
      co_return std::unexpected(*trouble);
    }
    if (fault && !fault->slow_only) {
      if (fault->status == 0) {
        co_return fail(ErrorKind::Unavailable, "the connection broke");
      }
      co_return std::unexpected(atq::kube::error_of(
          fault->status, status_text(fault->status, fault->reason, "an injected fault",
                                     fault->retry_after_seconds)));
    }
    auto request = parse_call(call);
    if (!request || !request->is_watch()) {
      co_return co_await stream_once(std::move(call), std::move(sink));
    }
    if (request->parameter("sendInitialEvents") == "true" && !api_.streaming_lists_) {
      co_return std::unexpected(atq::kube::error_of(
          422, status_text(422, "Invalid",
                           "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch "
                           "unless the WatchList feature gate is enabled")));
    }
    if (record < api_.calls_.size()) {
      api_.calls_[record].status = 200;
    }
    const auto canceler = call.canceler;
    Watch watch(api_, name_, std::move(*request), std::move(call), std::move(sink));
    if (canceler && canceler->canceled()) {
      watch.stop();
    } else if (canceler) {
      canceler->on_cancel([&watch] { watch.stop(); });
    }
    auto result = co_await watch.run();
    if (canceler) {
      canceler->on_cancel({});
    }
    co_return result;
  }

  void stop() override {
    stopped_ = true;
    for (auto* timer : waits_) {
      timer->cancel();
    }
    for (Watch* watch : api_.watches_) {
      if (watch->client() == name_) {
        watch->stop();
      }
    }
  }

 private:
  size_t note(const atq::kube::Call& call) {
    api_.calls_.push_back({.client = name_,
                           .method = call.method,
                           .target = call.target,
                           .content_type = call.content_type,
                           .body = call.body});
    return api_.calls_.size() - 1;
  }

  /// What ends the call before the server sees it.
  Task<std::optional<Error>> before(std::optional<Fault> fault, TimePoint deadline) {
    if (fault && fault->delay > Duration::zero()) {
      co_await wait_until(std::min(api_.clock_.now() + fault->delay, deadline));
    }
    if (stopped_) {
      co_return Error{ErrorKind::Canceled, "the client is stopped", std::nullopt};
    }
    const bool lost = fault && !fault->after_effect && !fault->slow_only;
    if (api_.is_cut_off(name_) || (lost && fault->hang) || api_.clock_.now() >= deadline) {
      co_return co_await time_out(deadline);
    }
    if (lost && fault->status == 0) {
      co_return Error{ErrorKind::Unavailable, "the connection broke", std::nullopt};
    }
    co_return std::nullopt;
  }

  Task<Error> time_out(TimePoint deadline) {
    co_await wait_until(deadline);
    co_return stopped_ ? Error{ErrorKind::Canceled, "the client is stopped", std::nullopt}
                       : Error{ErrorKind::Timeout, "no answer in time", std::nullopt};
  }

  Task<void> wait_until(TimePoint at) {
    const auto timer = api_.clock_.make_timer();
    waits_.push_back(timer.get());
    if (!stopped_) {
      co_await timer->wait_until(at);
    }
    waits_.remove(timer.get());
  }

  /// A list or a log taken as a stream.
  Task<Result<void>> stream_once(atq::kube::Call call, std::function<bool(std::string_view)> sink) {
    const auto request = parse_call(call);
    const ApiAnswer answer =
        request ? api_.state_.handle(*request) : ApiAnswer{404, "404 page not found\n"};
    if (!answer.ok()) {
      co_return std::unexpected(atq::kube::error_of(answer.status, answer.body));
    }
    const size_t step = api_.piece_bytes_ == 0 ? answer.body.size() : api_.piece_bytes_;
    for (size_t at = 0; at < answer.body.size(); at += step) {
      if (!sink(std::string_view(answer.body).substr(at, step))) {
        break;
      }
    }
    co_return Result<void>{};
  }

  FakeApi& api_;
  std::string name_;
  std::list<ports::Clock::Timer*> waits_;
  bool stopped_ = false;
};

FakeApi::FakeApi(boost::asio::io_context& loop, ports::Clock& clock)
    : loop_(loop), clock_(clock), state_([&clock] { return clock.now(); }) {
  state_.on_change([this](const Change& change) {
    if (on_write_) {
      on_write_(change);
    }
    wake();
  });
}

FakeApi::~FakeApi() = default;

std::unique_ptr<atq::kube::Client> FakeApi::connect(std::string name) {
  return std::make_unique<Connection>(*this, std::move(name));
}

void FakeApi::partition(const std::string& client, bool cut_off) {
  std::erase(cut_off_, client);
  if (cut_off) {
    cut_off_.push_back(client);
  }
  wake();
}

bool FakeApi::is_cut_off(const std::string& client) const {
  return std::ranges::find(cut_off_, client) != cut_off_.end();
}

void FakeApi::wake() {
  for (Watch* watch : watches_) {
    watch->wake();
  }
}

Json FakeApi::put(const atq::kube::Resource& resource, std::string ns, Json object) {
  object["apiVersion"] = atq::kube::api_version(resource);
  object["kind"] = resource.kind;
  auto request = request_of(resource, std::move(ns), "POST");
  const std::string name = object.at("metadata").value("name", "");
  const bool exists = state_.find({request.collection, request.ns, name}) != nullptr;
  request.body = object.dump();
  const auto send = [&] {
    const ApiAnswer answer = state_.handle(request);
    if (!answer.ok()) {
      throw std::logic_error("FakeApi::put: " + answer.body);
    }
    return Json::parse(answer.body);
  };
  Json stored;
  if (exists) {
    request.method = "PATCH";
    request.name = name;
    request.content_type = atq::kube::kMergePatch;
  }
  stored = send();
  if (object.contains("status")) {
    request.method = "PATCH";
    request.name = stored["metadata"]["name"];
    request.content_type = atq::kube::kMergePatch;
    request.subresource = "status";
    request.body = Json{{"status", object["status"]}}.dump();
    stored = send();
  }
  return stored;
}

bool FakeApi::erase(const atq::kube::Resource& resource, std::string ns, std::string name) {
  auto request = request_of(resource, std::move(ns), "DELETE");
  request.name = std::move(name);
  request.body = R"({"propagationPolicy":"Background"})";
  return state_.handle(request).ok();
}

std::optional<Json> FakeApi::get(const atq::kube::Resource& resource, std::string ns,
                                 std::string name) const {
  const auto object = state_.find({collection_of(resource), std::move(ns), std::move(name)});
  return object ? std::optional<Json>(*object) : std::nullopt;
}

std::vector<Json> FakeApi::all(const atq::kube::Resource& resource) const {
  std::vector<Json> found;
  for (const auto& [key, object] : state_.objects()) {
    if (key.collection == collection_of(resource)) {
      found.push_back(*object);
    }
  }
  return found;
}

void FakeApi::clear_faults() {
  faults_.clear();
  stream_faults_.clear();
}

std::optional<Fault> FakeApi::take_fault(const std::string& client, const atq::kube::Call& call) {
  const auto it = std::ranges::find_if(faults_, [&](const Fault& fault) {
    return (fault.method.empty() || fault.method == method_of(call)) &&
           call.target.contains(fault.path) && (fault.client.empty() || fault.client == client);
  });
  if (it == faults_.end()) {
    return std::nullopt;
  }
  const Fault fault = *it;
  if (--it->times <= 0) {
    faults_.erase(it);
  }
  return fault;
}

std::optional<StreamFault> FakeApi::take_stream_fault(const std::string& target) {
  const auto it = std::ranges::find_if(
      stream_faults_, [&](const StreamFault& fault) { return target.contains(fault.path); });
  if (it == stream_faults_.end()) {
    return std::nullopt;
  }
  const StreamFault fault = *it;
  if (--it->times <= 0) {
    stream_faults_.erase(it);
  }
  return fault;
}

size_t FakeApi::count(std::string_view method, std::string_view path) const {
  return static_cast<size_t>(std::ranges::count_if(calls_, [&](const RecordedCall& call) {
    const bool watch = call.method == "GET" && call.target.contains("watch=true");
    return (method.empty() || (watch ? method == "WATCH" : method == call.method)) &&
           call.target.contains(path);
  }));
}

size_t FakeApi::writes() const {
  return static_cast<size_t>(std::ranges::count_if(calls_, &RecordedCall::is_write));
}

size_t FakeApi::open_watches() const noexcept { return watches_.size(); }

}  // namespace atq::fakes::kube
