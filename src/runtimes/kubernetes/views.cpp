#include "src/runtimes/kubernetes/views.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"
#include "src/runtimes/kubernetes/objects.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxText = 1024;
constexpr size_t kMaxTermination = 4096;

const Json& none() {
  static const Json null;
  return null;
}

/// The member at a path, or null.
const Json& at(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* here = &json;
  for (const auto name : path) {
    if (!here->is_object()) return none();
    const auto found = here->find(name);
    if (found == here->end()) return none();
    here = &*found;
  }
  return *here;
}

std::string text(const Json& json) { return json.is_string() ? json.get<std::string>() : ""; }
std::string text(const Json& json, std::initializer_list<std::string_view> path) {
  return text(at(json, path));
}
std::string short_text(const Json& json, std::initializer_list<std::string_view> path) {
  return truncate(to_printable(text(json, path)), kMaxText);
}
int number(const Json& json) {
  if (!json.is_number_integer()) return 0;
  return static_cast<int>(std::clamp<int64_t>(json.get<int64_t>(), INT32_MIN, INT32_MAX));
}
bool truth(const Json& json) { return json.is_boolean() && json.get<bool>(); }
std::optional<TimePoint> time(const Json& json) { return parse_rfc3339(text(json)); }

template <class Number>
std::optional<Number> to_number(std::string_view digits) {
  Number value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return {};
  return value;
}

bool read_object(const Json& object, ObjectView& view) {
  const Json& metadata = at(object, {"metadata"});
  const Json& labels = at(metadata, {"labels"});
  view.ns = text(metadata, {"namespace"});
  view.name = text(metadata, {"name"});
  view.uid = text(metadata, {"uid"});
  view.version = text(metadata, {"resourceVersion"});
  view.loadtest_uid = text(labels, {kUidLabel});
  view.run_id = text(labels, {kRunIdLabel});
  view.deleting = !at(metadata, {"deletionTimestamp"}).is_null();
  const auto run = to_number<int64_t>(text(labels, {kRunLabel}));
  const auto part = part_from(text(labels, {kRoleLabel}));
  const bool ours = text(labels, {kManagedBy}) == kManager;
  if (!ours || !run || *run < 1 || !part || view.name.empty() || view.run_id.empty()) return false;
  view.run = *run;
  view.part = *part;
  for (const Json& owner : at(metadata, {"ownerReferences"})) {
    if (!truth(at(owner, {"controller"}))) continue;
    view.owner_uid = text(owner, {"uid"});
    view.owner = text(owner, {"kind"}) + " " + text(owner, {"name"});
  }
  return true;
}

ContainerView read_container(const Json& status) {
  ContainerView view;
  view.ready = truth(at(status, {"ready"}));
  const Json& state = at(status, {"state"});
  if (const Json& ended = at(state, {"terminated"}); ended.is_object()) {
    view.state = ContainerView::State::Ended;
    view.exit_code = number(at(ended, {"exitCode"}));
    view.signal = number(at(ended, {"signal"}));
    view.reason = short_text(ended, {"reason"});
    view.message = text(ended, {"message"}).substr(0, kMaxTermination);
    view.started_at = time(at(ended, {"startedAt"}));
    view.finished_at = time(at(ended, {"finishedAt"}));
  } else if (const Json& running = at(state, {"running"}); running.is_object()) {
    view.state = ContainerView::State::Running;
    view.started_at = time(at(running, {"startedAt"}));
  } else if (const Json& waiting = at(state, {"waiting"}); waiting.is_object()) {
    view.state = ContainerView::State::Waiting;
    view.reason = short_text(waiting, {"reason"});
    view.message = short_text(waiting, {"message"});
  }
  return view;
}

void read_conditions(const Json& object, PodView& view) {
  for (const Json& condition : at(object, {"status", "conditions"})) {
    const std::string type = text(condition, {"type"});
    const bool holds = text(condition, {"status"}) == "True";
    if (type == "PodScheduled") {
      view.scheduled = holds;
      if (!holds) view.unschedulable = short_text(condition, {"message"});
    } else if (type == "DisruptionTarget" && holds) {
      view.disruption_reason = short_text(condition, {"reason"});
      view.disrupted_at = time(at(condition, {"lastTransitionTime"}));
      view.disruption = view.disruption_reason + ": " + short_text(condition, {"message"});
    }
  }
}

}  // namespace

bool PodView::alive() const {
  using State = ContainerView::State;
  if (ended()) return false;
  if (containers.empty() || main.state != State::Ended) return true;
  return std::any_of(containers.begin(), containers.end(),
                     [](const auto& entry) { return entry.second.state != State::Ended; });
}

std::optional<ServiceView> read_service(const Json& object) {
  ServiceView view;
  if (!read_object(object, view) || view.part != Part::Network) return std::nullopt;
  const Json& annotations = at(object, {"metadata", "annotations"});
  const std::string key = text(annotations, {kKeyAnnotation});
  const size_t slash = key.find('/');
  if (slash == std::string::npos) return std::nullopt;
  view.key = {key.substr(0, slash), key.substr(slash + 1)};
  view.uid_whole = text(annotations, {kUidAnnotation});
  view.frozen = text(annotations, {kFrozenAnnotation});
  view.files = text(annotations, {kFilesAnnotation});
  view.collected = text(annotations, {kCollectedAnnotation});
  view.release = text(annotations, {kReleaseAnnotation});
  if (view.uid_whole.empty() || view.frozen.empty()) return std::nullopt;
  return view;
}

std::optional<JobView> read_job(const Json& object) {
  JobView view;
  if (!read_object(object, view) || view.part == Part::Network) return std::nullopt;
  view.suspended = truth(at(object, {"spec", "suspend"}));
  view.release = text(object, {"metadata", "annotations", kReleaseAnnotation});
  view.completed_indexes = text(object, {"status", "completedIndexes"});
  view.failed_indexes = text(object, {"status", "failedIndexes"});
  view.active = number(at(object, {"status", "active"}));
  for (const Json& condition : at(object, {"status", "conditions"})) {
    const std::string type = text(condition, {"type"});
    if (text(condition, {"status"}) != "True") continue;
    if (type == "Complete" || type == "Failed") view.finished = true;
    if (type == "Failed") {
      view.failure = short_text(condition, {"reason"}) + ": " + short_text(condition, {"message"});
    }
  }
  return view;
}

std::optional<PodView> read_pod(const Json& object) {
  PodView view;
  if (!read_object(object, view) || view.part == Part::Network) return std::nullopt;
  const Json& metadata = at(object, {"metadata"});
  std::string index = text(metadata, {"annotations", kIndexLabel});
  if (index.empty()) index = text(metadata, {"labels", kIndexLabel});
  view.index = to_number<int>(index).value_or(0);
  view.created_at = time(at(metadata, {"creationTimestamp"}));
  const Json& status = at(object, {"status"});
  view.phase = text(status, {"phase"});
  view.reason = short_text(status, {"reason"});
  view.message = short_text(status, {"message"});
  for (const Json& address : at(status, {"podIPs"}))
    view.addresses.push_back(text(address, {"ip"}));
  if (view.addresses.empty() && !text(status, {"podIP"}).empty()) {
    view.addresses.push_back(text(status, {"podIP"}));
  }
  for (const Json& container : at(status, {"initContainerStatuses"})) {
    if (text(container, {"name"}) == kAgentContainer) view.agent = read_container(container);
  }
  for (const Json& container : at(status, {"containerStatuses"})) {
    view.containers[text(container, {"name"})] = read_container(container);
  }
  if (const auto main = view.containers.find(kMainContainer); main != view.containers.end()) {
    view.main = main->second;
  }
  for (const Json& container : at(object, {"spec", "containers"})) {
    if (text(container, {"name"}) == kMainContainer) {
      view.memory_limit = text(container, {"resources", "limits", "memory"});
    }
  }
  read_conditions(object, view);
  return view;
}

bool contains_index(std::string_view ranges, int index) noexcept {
  while (!ranges.empty()) {
    const size_t comma = ranges.find(',');
    const std::string_view range = ranges.substr(0, comma);
    const size_t dash = range.find('-');
    const auto first = to_number<int>(range.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : to_number<int>(range.substr(dash + 1));
    if (first && last && index >= *first && index <= *last) return true;
    if (comma == std::string_view::npos) break;
    ranges.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace atq::kubernetes
