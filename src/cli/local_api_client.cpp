#include "src/cli/local_api_client.hpp"

#include <nlohmann/json.hpp>

#include "src/cli/block_on.hpp"
#include "src/net/client.hpp"

namespace atq::cli {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

/// A log or a watch may be silent for as long as a run may last.
constexpr std::chrono::milliseconds kForEver = 24h * 365;

template <class T>
Result<T> wait_for(net::Task<Result<T>> task) {
  boost::asio::io_context loop;
  return block_on(loop, std::move(task));
}

ErrorKind kind_of(const std::string& reason, int status) {
  for (const auto kind :
       {ErrorKind::NotFound, ErrorKind::Conflict, ErrorKind::Gone, ErrorKind::Throttled,
        ErrorKind::Unauthorized, ErrorKind::Forbidden, ErrorKind::Invalid, ErrorKind::Timeout,
        ErrorKind::Unavailable, ErrorKind::Canceled}) {
    if (reason == atq::to_string(kind)) {
      return kind;
    }
  }
  return status < 500 ? ErrorKind::Invalid : ErrorKind::Internal;
}

std::string text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t number(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

std::unexpected<Error> no_answer_of_ours(const std::string& what) {
  return fail(ErrorKind::Internal, "the director's answer has no " + what +
                                       ": are atq and atq-director of the same version?");
}

Error failure_of(const net::Answer& answer) {
  const Json status = Json::parse(answer.body, nullptr, false);
  if (!status.is_object() || text(status, "message").empty()) {
    return {ErrorKind::Internal, "the director answered " + std::to_string(answer.status),
            std::nullopt};
  }
  return {kind_of(text(status, "reason"), answer.status), text(status, "message"), std::nullopt};
}

Result<Item> read_item(const Json& json) {
  if (!json.is_object() || !json.contains("object")) {
    return no_answer_of_ours("object");
  }
  auto test = api::decode_trusted(json["object"].dump());
  if (!test) {
    return std::unexpected(test.error());
  }
  Item item{std::move(*test), {}};
  for (const auto& problem : json.value("problems", Json::array())) {
    item.problems.push_back({.path = text(problem, "path"),
                             .message = text(problem, "message"),
                             .rule = text(problem, "rule"),
                             .line = static_cast<int>(number(problem, "line")),
                             .column = static_cast<int>(number(problem, "column"))});
  }
  return item;
}

Result<WatchedChange> read_change(const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) {
    return no_answer_of_ours("change");
  }
  WatchedChange change{.deleted = !json.contains("object"), .item = {}};
  if (change.deleted) {
    change.item.test.metadata.ns = text(json, "namespace");
    change.item.test.metadata.name = text(json, "name");
    return change;
  }
  auto item = read_item(json);
  if (!item) {
    return std::unexpected(item.error());
  }
  change.item = std::move(*item);
  return change;
}

std::string path_of(const api::Key& key) {
  return "/v1/loadtests/" + net::encode_component(key.ns) + "/" + net::encode_component(key.name);
}

Result<Json> parse(const Result<std::string>& body, const char* member) {
  if (!body) {
    return std::unexpected(body.error());
  }
  Json json = Json::parse(*body, nullptr, false);
  if (!json.is_object() || !json.contains(member)) {
    return no_answer_of_ours(member);
  }
  return json;
}

}  // namespace

LocalApiClient::LocalApiClient(std::string data) : data_(std::move(data)) {}

std::string LocalApiClient::socket() const {
  return (std::filesystem::path(data_) / "atq.sock").string();
}

std::unexpected<Error> LocalApiClient::no_director() const {
  return fail(ErrorKind::Unavailable,
              "no director listens on " + socket() +
                  ": start one with atq-director …, give --data, or --context "
                  "for a cluster");
}

Result<std::string> LocalApiClient::ask(const std::string& method, const std::string& target,
                                        const std::string& body) const {
  net::Request request{.method = method, .target = target, .headers = {}, .body = body};
  auto answer = wait_for(net::fetch({.socket = socket()}, std::move(request)));
  if (!answer && answer.error().kind == ErrorKind::NotFound) {
    return no_director();
  }
  if (!answer) {
    return std::unexpected(answer.error());
  }
  if (answer->status >= 400) {
    return std::unexpected(failure_of(*answer));
  }
  return std::move(answer->body);
}

Result<void> LocalApiClient::stream(const std::string& target,
                                    std::function<bool(std::string_view)> sink) const {
  net::Request request{.method = "GET", .target = target, .headers = {}, .body = {}};
  const net::ClientOptions options{.answer_timeout = kForEver, .idle_timeout = 0ms};
  const auto answer =
      wait_for(net::stream({.socket = socket()}, std::move(request), std::move(sink), options));
  if (!answer && answer.error().kind == ErrorKind::Canceled) {
    return {};
  }
  if (!answer && answer.error().kind == ErrorKind::NotFound) {
    return no_director();
  }
  if (!answer && answer.error().kind == ErrorKind::Unavailable) {
    return fail(ErrorKind::Unavailable, "the director at " + socket() + " has gone");
  }
  if (!answer) {
    return std::unexpected(answer.error());
  }
  if (answer->status >= 400) {
    return std::unexpected(failure_of(*answer));
  }
  return {};
}

Result<ListedItems> LocalApiClient::list(const std::string& ns) {
  const auto json = parse(
      ask("GET", "/v1/loadtests" + (ns.empty() ? "" : "?namespace=" + net::encode_component(ns))),
      "items");
  if (!json) {
    return std::unexpected(json.error());
  }
  ListedItems out;
  out.resource_version = text(json->value("metadata", Json::object()), "resourceVersion");
  for (const auto& entry : (*json)["items"]) {
    auto item = read_item(entry);
    if (!item) {
      return std::unexpected(item.error());
    }
    out.items.push_back(std::move(*item));
  }
  return out;
}

Result<Item> LocalApiClient::get(const api::Key& key) {
  const auto json = parse(ask("GET", path_of(key)), "object");
  if (!json) {
    return std::unexpected(json.error());
  }
  return read_item(*json);
}

Result<std::vector<EventLine>> LocalApiClient::events(const api::LoadTest& test) {
  const auto json = parse(ask("GET", path_of(api::key_of(test)) + "/events"), "items");
  if (!json) {
    return std::unexpected(json.error());
  }
  std::vector<EventLine> out;
  for (const auto& event : (*json)["items"]) {
    out.push_back({.warning = text(event, "type") == "Warning",
                   .reason = text(event, "reason"),
                   .message = text(event, "message"),
                   .count = number(event, "count"),
                   .last_at = text(event, "lastTimestamp")});
  }
  return out;
}

Result<std::vector<SourceIssue>> LocalApiClient::issues() {
  const auto json = parse(ask("GET", "/v1/problems"), "items");
  if (!json) {
    return std::unexpected(json.error());
  }
  std::vector<SourceIssue> out;
  for (const auto& issue : (*json)["items"]) {
    out.push_back({text(issue, "source"), text(issue, "message")});
  }
  return out;
}

Result<std::string> LocalApiClient::stop(const api::Key& key, bool now) {
  const auto json = parse(
      ask("POST", path_of(key) + "/stop", now ? R"({"mode":"Now"})" : R"({"mode":"Graceful"})"),
      "request");
  if (!json) {
    return std::unexpected(json.error());
  }
  return text(*json, "request");
}

Result<std::string> LocalApiClient::rerun(const api::Key& key) {
  const auto json = parse(ask("POST", path_of(key) + "/rerun"), "request");
  if (!json) {
    return std::unexpected(json.error());
  }
  return text(*json, "request");
}

std::string LocalApiClient::server() {
  const auto json = parse(ask("GET", "/version"), "version");
  return "atq-director " +
         (json ? text(*json, "version") + " (" + socket() + ")" : "none listens on " + socket());
}

Result<void> LocalApiClient::logs(const LogRequest& request,
                                  std::function<bool(std::string_view)> sink) {
  std::string target = path_of(request.key) +
                       "/logs?role=" + (request.master ? "master" : "worker") +
                       "&index=" + std::to_string(request.worker);
  target += request.follow ? "&follow=true" : "";
  target += request.tail > 0 ? "&tail=" + std::to_string(request.tail) : "";
  target += request.run > 0 ? "&run=" + std::to_string(request.run) : "";
  return stream(target, std::move(sink));
}

Result<void> LocalApiClient::watch(const std::string& ns, const std::string& from,
                                   std::function<bool(const WatchedChange&)> sink) {
  std::string target = "/v1/watch?resourceVersion=" + net::encode_component(from);
  target += ns.empty() ? "" : "&namespace=" + net::encode_component(ns);
  std::string pending;
  Result<void> outcome;
  bool wanted = true;
  const auto ended = stream(target, [&](std::string_view piece) {
    pending += piece;
    for (size_t end = pending.find('\n'); end != std::string::npos && wanted;
         end = pending.find('\n')) {
      const auto change = read_change(pending.substr(0, end));
      pending.erase(0, end + 1);
      if (!change) {
        outcome = std::unexpected(change.error());
      }
      wanted = change && sink(*change);
    }
    return wanted;
  });
  if (!outcome) {
    return outcome;
  }
  if (!ended) {
    return ended;
  }
  return wanted ? fail(ErrorKind::Unavailable, "the director has ended the watch") : Result<void>();
}

}  // namespace atq::cli
