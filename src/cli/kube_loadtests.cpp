#include "src/cli/kube_loadtests.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "src/base/hash.hpp"
#include "src/base/text.hpp"
#include "src/kube/objects.hpp"
#include "src/kube/status.hpp"

namespace atq::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* kRunLabels[] = {"atq.dev/uid", "atq.dev/run"};
constexpr const char* kRoleLabel = "atq.dev/role";
constexpr const char* kIndexLabel = "batch.kubernetes.io/job-completion-index";

/// A member of objects in objects; null where something is none.
const Json& at(const Json& object, std::initializer_list<const char*> path) {
  static const Json kNull;
  const Json* node = &object;
  for (const char* key : path) {
    if (!node->is_object() || !node->contains(key)) {
      return kNull;
    }
    node = &(*node)[key];
  }
  return *node;
}

std::string text(const Json& object, std::initializer_list<const char*> path) {
  const Json& node = at(object, path);
  return node.is_string() ? node.get<std::string>() : std::string();
}

/// Null where the kubelet has not reported it yet.
const Json& status_of(const Json& pod, const std::string& container) {
  static const Json kNull;
  const Json& statuses = at(pod, {"status", "containerStatuses"});
  for (size_t i = 0; statuses.is_array() && i < statuses.size(); ++i) {
    if (text(statuses[i], {"name"}) == container) {
      return statuses[i];
    }
  }
  return kNull;
}

void read_exit(const Json& pod, RunPod& out) {
  const Json& terminated = at(status_of(pod, out.container), {"state", "terminated"});
  const std::string reason = text(pod, {"status", "reason"});
  if (terminated.is_object()) {
    const Json& code = at(terminated, {"exitCode"});
    core::Exit exit{.code = code.is_number_integer() ? code.get<int>() : 1};
    exit.signal = exit.code > 128 && exit.code < 160 ? exit.code - 128 : 0;
    const auto from = parse_rfc3339(text(terminated, {"startedAt"}));
    const auto to = parse_rfc3339(text(terminated, {"finishedAt"}));
    if (from && to) {
      exit.at = *to;
      exit.ran_for = *to - *from;
    }
    const std::string why = text(terminated, {"reason"});
    exit.diagnosis = why == "Error" || why == "Completed" ? "" : to_printable(truncate(why, 200));
    out.exit = std::move(exit);
  }
  if (!reason.empty()) {
    out.diagnosis = to_printable(truncate(reason + ": " + text(pod, {"status", "message"}), 500));
  }
}

std::optional<RunPod> read_pod(const Json& pod) {
  RunPod out{.name = text(pod, {"metadata", "name"})};
  const std::string role = text(pod, {"metadata", "labels", kRoleLabel});
  if (out.name.empty() || (role != "worker" && role != "master")) {
    return std::nullopt;
  }
  out.role = role == "master" ? core::Role::Master : core::Role::Worker;
  std::string index = text(pod, {"metadata", "labels", kIndexLabel});
  if (index.empty()) {
    index = text(pod, {"metadata", "annotations", kIndexLabel});
  }
  std::from_chars(index.data(), index.data() + index.size(), out.index);
  out.container = text(pod, {"metadata", "annotations", "kubectl.kubernetes.io/default-container"});
  const Json& containers = at(pod, {"spec", "containers"});
  if (out.container.empty() && containers.is_array() && !containers.empty()) {
    out.container = text(containers[0], {"name"});
  }
  read_exit(pod, out);
  return out;
}

}  // namespace

Result<Item> item_of(const Json& object) {
  Json slim = object;
  if (slim.is_object() && slim.contains("metadata") && slim["metadata"].is_object()) {
    slim["metadata"].erase("managedFields");
  }
  const std::string bytes = slim.dump(-1, ' ', false, Json::error_handler_t::replace);
  auto test = api::decode_trusted(bytes);
  if (!test) {
    return fail_with("a LoadTest of the cluster cannot be read", test.error());
  }
  return Item{std::move(*test), api::decode_json(bytes).problems};
}

Result<std::vector<WatchLines::Event>> WatchLines::feed(std::string_view piece) {
  std::vector<Event> out;
  pending_ += piece;
  size_t from = 0;
  for (size_t end = pending_.find('\n'); end != std::string::npos;
       end = pending_.find('\n', from)) {
    auto events = take(std::string_view(pending_).substr(from, end - from));
    if (!events) {
      return events;
    }
    std::move(events->begin(), events->end(), std::back_inserter(out));
    from = end + 1;
  }
  pending_.erase(0, from);
  if (pending_.size() > kube::kMaxObjectBytes) {
    return fail(ErrorKind::Invalid, "the watch has sent an event above 8 MiB");
  }
  return out;
}

Result<std::vector<WatchLines::Event>> WatchLines::take(std::string_view line) {
  Json event = Json::parse(line, nullptr, false);
  const std::string type = text(event, {"type"});
  if (type.empty() || !at(event, {"object"}).is_object()) {
    return fail(ErrorKind::Invalid, "the watch has sent something that is no event");
  }
  if (type == "ERROR") {
    return std::unexpected(kube::error_of_event(event["object"].dump()));
  }
  const std::string version = text(event, {"object", "metadata", "resourceVersion"});
  version_ = version.empty() ? version_ : version;
  if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
    return std::vector<Event>();
  }
  return std::vector<Event>{{type, std::make_shared<const Json>(std::move(event["object"]))}};
}

net::Task<Result<std::vector<RunPod>>> list_run_pods(kube::Client& client, std::string ns,
                                                     core::RunId run) {
  const std::string selector = std::string(kRunLabels[0]) + "=" + run.uid + "," + kRunLabels[1] +
                               "=" + std::to_string(run.number);
  auto task = client.call(
      {.target = kube::with_query(kube::path_of(kube::kPods, ns), {{"labelSelector", selector}})});
  const auto body = co_await std::move(task);
  if (!body) {
    co_return std::unexpected(body.error());
  }
  const Json list = Json::parse(*body, nullptr, false);
  if (!at(list, {"items"}).is_array()) {
    co_return fail(ErrorKind::Internal, "the cluster's answer has no list of pods");
  }
  std::map<std::pair<bool, int>, std::pair<std::string, RunPod>> newest;
  for (const Json& pod : list["items"]) {
    if (auto read = read_pod(pod)) {
      const std::string created = text(pod, {"metadata", "creationTimestamp"});
      auto& place = newest[{read->role == core::Role::Master, read->index}];
      if (place.second.name.empty() || created >= place.first) {
        place = {created, std::move(*read)};
      }
    }
  }
  std::vector<RunPod> out;
  for (auto& [place, pod] : newest) {
    out.push_back(std::move(pod.second));
  }
  co_return out;
}

std::string log_target(const std::string& ns, const RunPod& pod, bool follow, int64_t tail) {
  return kube::with_query(kube::path_of(kube::kPods, ns, pod.name, "log"),
                          {{"container", pod.container},
                           {"follow", follow ? "true" : ""},
                           {"tailLines", tail > 0 ? std::to_string(tail) : ""}});
}

net::Task<Result<void>> annotate(kube::Client& client, api::Key key, std::string_view annotation,
                                 std::string value) {
  Json patch{{"metadata", {{"annotations", {{std::string(annotation), std::move(value)}}}}}};
  auto task = kube::patch_object(client, kLoadTests, key.ns, key.name, "", std::move(patch),
                                 kube::kMergePatch);
  const auto done = co_await std::move(task);
  if (!done) {
    co_return std::unexpected(explain(done.error()));
  }
  co_return Result<void>();
}

std::string new_rerun_token() {
  static int count = 0;
  const auto time = std::chrono::system_clock::now().time_since_epoch().count();
  return to_hex(fnv1a(std::to_string(time) + "/" + std::to_string(::getpid()) + "/" +
                      std::to_string(++count)));
}

Error explain(Error error) {
  // What the API server says of a path that it does not serve.
  if (error.kind == ErrorKind::NotFound &&
      error.message.find("could not find the requested resource") != std::string::npos) {
    error.message =
        "the cluster knows no LoadTests: install ATQ Director there (" + error.message + ")";
  }
  return error;
}

}  // namespace atq::cli
