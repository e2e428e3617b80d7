#include "src/cli/kube_api_client.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "controller/core/requests.hpp"
#include "src/base/text.hpp"
#include "src/cli/block_on.hpp"
#include "src/cli/kube_loadtests.hpp"
#include "src/kube/objects.hpp"

namespace atq::cli {
namespace {

namespace asio = boost::asio;
using Json = nlohmann::json;
using net::Task;
using namespace std::chrono_literals;

constexpr const char* kPage = "500";
constexpr auto kBeforeNextTry = 1s;
constexpr auto kGiveUpAfter = 60s;

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// An event of either API group; the names differ.
EventLine read_event(const Json& event) {
  const Json series = event.value("series", Json::object());
  const auto first_of = [](std::initializer_list<std::string> texts) {
    for (const auto& each : texts) {
      if (!each.empty()) {
        return each;
      }
    }
    return std::string();
  };
  int64_t count = 1;
  for (const auto& [where, key] :
       {std::pair(&series, "count"), std::pair(&event, "deprecatedCount")}) {
    const auto found = where->is_object() ? where->find(key) : where->end();
    if (found != where->end() && found->is_number_integer() && count == 1) {
      count = found->get<int64_t>();
    }
  }
  return {.warning = text(event, "type") == "Warning",
          .reason = text(event, "reason"),
          .message = to_printable(text(event, "note")),
          .count = count,
          .last_at = first_of({series.is_object() ? text(series, "lastObservedTime") : "",
                               text(event, "deprecatedLastTimestamp"), text(event, "eventTime")})};
}

WatchedChange read_change(const WatchLines::Event& event, Item item) {
  WatchedChange change{.deleted = event.type == "DELETED", .item = std::move(item)};
  return change;
}

}  // namespace

struct KubeApiClient::Impl {
  std::shared_ptr<asio::io_context> loop;
  kube::Connection connection;

  kube::Client& client() { return *connection.client; }
  Task<Result<Json>> read(std::string target);
  Task<Result<ListedItems>> list(std::string ns);
  Task<Result<Item>> get(api::Key key);
  Task<Result<std::string>> stop(api::Key key, bool now);
  Task<Result<RunPod>> find_pod(LogRequest request);
  Task<Result<void>> logs(LogRequest request, std::function<bool(std::string_view)> sink);
  Task<void> pause();
};

/// A GET of a JSON object.
Task<Result<Json>> KubeApiClient::Impl::read(std::string target) {
  auto task = client().call({.target = std::move(target), .timeout = 30s});
  const auto body = co_await std::move(task);
  if (!body) {
    co_return std::unexpected(explain(body.error()));
  }
  Json json = Json::parse(*body, nullptr, false);
  if (!json.is_object()) {
    co_return fail(ErrorKind::Internal, "the cluster's answer is no JSON object");
  }
  co_return json;
}

Task<Result<ListedItems>> KubeApiClient::Impl::list(std::string ns) {
  ListedItems out;
  std::string next;
  do {
    auto task = read(
        kube::with_query(kube::path_of(kLoadTests, ns), {{"limit", kPage}, {"continue", next}}));
    const auto page = co_await std::move(task);
    if (!page) {
      co_return std::unexpected(page.error());
    }
    for (const Json& object : page->value("items", Json::array())) {
      auto item = item_of(object);
      if (!item) {
        co_return std::unexpected(item.error());
      }
      out.items.push_back(std::move(*item));
    }
    const Json metadata = page->value("metadata", Json::object());
    out.resource_version = text(metadata, "resourceVersion");
    next = text(metadata, "continue");
  } while (!next.empty());
  co_return out;
}

Task<Result<Item>> KubeApiClient::Impl::get(api::Key key) {
  auto task = kube::get_object(client(), kLoadTests, key.ns, key.name);
  const auto object = co_await std::move(task);
  if (!object && object.error().kind == ErrorKind::NotFound) {
    const Error error = explain(object.error());
    co_return error == object.error() ? fail(ErrorKind::NotFound, "no LoadTest " + to_string(key))
                                      : std::unexpected(error);
  }
  if (!object) {
    co_return std::unexpected(object.error());
  }
  co_return item_of(*object);
}

Task<Result<std::string>> KubeApiClient::Impl::stop(api::Key key, bool now) {
  auto reading = get(key);
  const auto item = co_await std::move(reading);
  if (!item) {
    co_return std::unexpected(item.error());
  }
  const auto value = core::stop_request(item->test, now);
  if (!value) {
    co_return value;
  }
  auto asking = annotate(client(), key, api::kStopAnnotation, *value);
  const auto asked = co_await std::move(asking);
  if (!asked) {
    co_return std::unexpected(asked.error());
  }
  co_return value;
}

Task<void> KubeApiClient::Impl::pause() {
  asio::steady_timer timer(*loop, kBeforeNextTry);
  co_await timer.async_wait(asio::use_awaitable);
}

Task<Result<RunPod>> KubeApiClient::Impl::find_pod(LogRequest request) {
  auto reading = get(request.key);
  const auto item = co_await std::move(reading);
  if (!item) {
    co_return std::unexpected(item.error());
  }
  const std::string name = to_string(request.key);
  const int64_t run = request.run > 0 ? request.run : item->test.status.run.number;
  if (run == 0) {
    co_return fail(ErrorKind::NotFound, name + " has not run yet");
  }
  auto listing =
      list_run_pods(client(), request.key.ns, {.uid = item->test.metadata.uid, .number = run});
  const auto pods = co_await std::move(listing);
  if (!pods) {
    co_return std::unexpected(pods.error());
  }
  const auto role = request.master ? core::Role::Master : core::Role::Worker;
  for (const RunPod& pod : *pods) {
    if (pod.role == role && (request.master || pod.index == request.worker)) {
      co_return pod;
    }
  }
  if (pods->empty()) {
    co_return fail(ErrorKind::NotFound, "run " + std::to_string(run) + " of " + name +
                                            " has left no logs: it was cleaned up or never began");
  }
  co_return fail(ErrorKind::NotFound,
                 "run " + std::to_string(run) + " of " + name + " has no pod of " +
                     (request.master ? "a master" : "worker " + std::to_string(request.worker)));
}

Task<Result<void>> KubeApiClient::Impl::logs(LogRequest request,
                                             std::function<bool(std::string_view)> sink) {
  auto finding = find_pod(request);
  const auto pod = co_await std::move(finding);
  if (!pod) {
    co_return std::unexpected(pod.error());
  }
  const std::string target = log_target(request.key.ns, *pod, request.follow, request.tail);
  while (true) {
    auto task = client().stream({.target = target, .idle_timeout = 0ms}, sink);
    auto ended = co_await std::move(task);
    // "container "main" in pod "x" is waiting to start: PodInitializing"
    const bool early =
        !ended && ended.error().message.find("waiting to start") != std::string::npos;
    if (!early || !request.follow) {
      co_return ended;
    }
    co_await pause();
  }
}

KubeApiClient::KubeApiClient(std::shared_ptr<asio::io_context> loop, kube::Connection connection)
    : impl_(std::make_unique<Impl>(std::move(loop), std::move(connection))) {}

KubeApiClient::~KubeApiClient() { impl_->client().stop(); }

Result<ListedItems> KubeApiClient::list(const std::string& ns) {
  return block_on(*impl_->loop, impl_->list(ns));
}

Result<Item> KubeApiClient::get(const api::Key& key) {
  return block_on(*impl_->loop, impl_->get(key));
}

Result<std::vector<EventLine>> KubeApiClient::events(const api::LoadTest& test) {
  const auto list = block_on(
      *impl_->loop,
      impl_->read(kube::with_query(kube::path_of(kube::kEvents, test.metadata.ns),
                                   {{"fieldSelector", "regarding.uid=" + test.metadata.uid}})));
  if (!list) {
    return std::unexpected(list.error());
  }
  std::vector<EventLine> out;
  for (const Json& event : list->value("items", Json::array())) {
    if (event.is_object()) {
      out.push_back(read_event(event));
    }
  }
  std::ranges::stable_sort(out, {}, &EventLine::last_at);
  return out;
}

Result<std::vector<SourceIssue>> KubeApiClient::issues() { return std::vector<SourceIssue>(); }

Result<std::string> KubeApiClient::stop(const api::Key& key, bool now) {
  return block_on(*impl_->loop, impl_->stop(key, now));
}

Result<std::string> KubeApiClient::rerun(const api::Key& key) {
  const std::string token = new_rerun_token();
  const auto asked =
      block_on(*impl_->loop, annotate(impl_->client(), key, api::kRerunAnnotation, token));
  if (!asked && asked.error().kind == ErrorKind::NotFound) {
    const auto why = get(key);  // in our words
    return std::unexpected(why ? asked.error() : why.error());
  }
  return asked ? Result<std::string>(token) : std::unexpected(asked.error());
}

Result<void> KubeApiClient::logs(const LogRequest& request,
                                 std::function<bool(std::string_view)> sink) {
  return block_on(*impl_->loop, impl_->logs(request, std::move(sink)));
}

Result<void> KubeApiClient::watch(const std::string& ns, const std::string& from,
                                  std::function<bool(const WatchedChange&)> sink) {
  std::string version = from;
  auto heard = std::chrono::steady_clock::now();
  while (true) {
    WatchLines lines;
    Result<void> outcome;
    bool wanted = true;
    const std::function<bool(std::string_view)> take = [&](std::string_view piece) {
      const auto events = lines.feed(piece);
      outcome = events ? Result<void>() : std::unexpected(events.error());
      for (size_t i = 0; events && wanted && i < events->size(); ++i) {
        auto item = item_of(*(*events)[i].object);
        outcome = item ? Result<void>() : std::unexpected(item.error());
        wanted = item && sink(read_change((*events)[i], std::move(*item)));
      }
      return wanted && outcome.has_value();
    };
    const auto ended = block_on(
        *impl_->loop,
        impl_->client().stream({.target = kube::with_query(kube::path_of(kLoadTests, ns),
                                                           {{"watch", "true"},
                                                            {"allowWatchBookmarks", "true"},
                                                            {"resourceVersion", version}}),
                                .idle_timeout = 0ms},
                               take));
    version = lines.version().empty() ? version : lines.version();
    heard = lines.version().empty() ? heard : std::chrono::steady_clock::now();
    outcome = outcome ? ended : outcome;
    if (!wanted && outcome) {
      return {};
    }
    const bool gone = !outcome && outcome.error().kind == ErrorKind::Gone;
    const bool passes = !outcome && (outcome.error().kind == ErrorKind::Unavailable ||
                                     outcome.error().kind == ErrorKind::Timeout);
    if (!outcome && !gone && (!passes || std::chrono::steady_clock::now() - heard > kGiveUpAfter)) {
      return std::unexpected(explain(outcome.error()));
    }
    asio::steady_timer timer(*impl_->loop, kBeforeNextTry);
    timer.wait();
    if (!gone) {
      continue;
    }
    const auto listed = list(ns);
    if (!listed) {
      return std::unexpected(listed.error());
    }
    version = listed->resource_version;
    for (const Item& item : listed->items) {
      if (!sink({.deleted = false, .item = item})) {
        return {};
      }
    }
  }
}

std::string KubeApiClient::server() {
  const auto json = block_on(*impl_->loop, impl_->read("/version"));
  const std::string place = " (" + impl_->connection.source + ", " + impl_->connection.server + ")";
  return "kubernetes " + (json ? text(*json, "gitVersion") + place
                               : "cannot be reached" + place + ": " + json.error().message);
}

}  // namespace atq::cli
