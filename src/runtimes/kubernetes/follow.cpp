// What is read in the background: the prober's reports, the starter's, and the cluster's events
// where pods do not come.

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"
#include "src/runtimes/kubernetes/runtime_impl.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;
using State = ContainerView::State;

constexpr size_t kMaxLine = 64 * 1024;
constexpr std::chrono::milliseconds kAgain{1000};
/// A pod that comes the usual way needs no look at events.
constexpr std::chrono::seconds kPatience{3};
constexpr std::chrono::seconds kLookEvery{5};
/// A prober's output that has been silent for so long is asked for anew, from its begin: the stream
/// may have died without a word, and a report that is read twice counts once.
constexpr std::chrono::seconds kDoubtfulSilence{15};
/// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/; the core API's
/// form, whose field selectors know involvedObject.uid.
constexpr kube::Resource kCoreEvents{"", "v1", "events", "Event"};

SteadyTime in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

/// Calls `line(text)` for each whole line of pieces that come.
class LineReader {
 public:
  template <class Line>
  void add(std::string_view piece, Line line) {
    partial_.append(piece);
    size_t from = 0;
    for (size_t end; (end = partial_.find('\n', from)) != std::string::npos; from = end + 1) {
      line(std::string_view(partial_).substr(from, end - from));
    }
    partial_.erase(0, from);
    if (partial_.size() > kMaxLine) partial_.clear();
  }

 private:
  std::string partial_;
};

/// Pods that the Jobs of the run should have by now and have not, or that do not get on. Gives the
/// uid of what the events are about; "" where all is well.
std::string find_stuck(const RunObjects& run, const api::FrozenSpec& frozen) {
  for (const auto& [part, job] : run.jobs) {
    if (job.suspended || job.finished) continue;
    const int wanted = part == Part::Worker ? frozen.spec.worker.replicas : 1;
    int present = 0;
    for (const auto& [name, pod] : run.pods) {
      if (pod.part != part) continue;
      ++present;
      const bool stuck = pod.scheduled && !pod.ended() && pod.main.state != State::Running &&
                         pod.main.state != State::Ended && part != Part::Probe;
      if (stuck && describe_trouble(pod).empty()) return pod.uid;
    }
    for (int i = 0; i < wanted; ++i) present += run.ends.contains({part, i}) ? 1 : 0;
    if (present < wanted) return job.uid;
  }
  return {};
}

/// Every pod that is to come is there, and runs or has ended.
bool all_came(const RunObjects& run, const api::FrozenSpec& frozen) {
  if (!find_stuck(run, frozen).empty()) return false;
  return std::all_of(run.pods.begin(), run.pods.end(), [](const auto& entry) {
    const PodView& pod = entry.second;
    return pod.ended() || pod.part == Part::Probe || pod.main.state == State::Running ||
           pod.main.state == State::Ended;
  });
}

std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

/// "FailedMount: …" of the newest.
std::string newest_warning(const Json& list) {
  std::string best, best_time;
  const auto items = list.find("items");
  if (items == list.end() || !items->is_array()) return {};
  for (const Json& event : *items) {
    if (!event.is_object()) continue;
    std::string time = text_of(event, "lastTimestamp");
    if (time.empty()) time = text_of(event, "eventTime");
    if (time < best_time) continue;
    best_time = std::move(time);
    best = text_of(event, "reason") + ": " + text_of(event, "message");
  }
  return truncate(to_printable(best), 500);
}

}  // namespace

void KubernetesRuntime::Impl::follow(const RunKey& key) {
  const RunObjects& run = *cache_.find(key);
  if (!run.service || run.service->deleting) return;
  RunEntry& entry = entries_[key];
  const PodView* prober = pod_of(run, Part::Probe, 0);
  if (prober != nullptr && !entry.memory.checks_stopped) {
    for (const auto& [name, container] : prober->containers) {
      const bool started = container.state == State::Running || container.state == State::Ended;
      if (!started || !entry.followed.insert(prober->name + "/" + name).second) continue;
      spawn_task(follow_prober(key, prober->name, name));
    }
  }
  const auto start = run.ends.find({Part::Master, 0});
  const bool masterless = run.service->release == kReleased;
  if (!masterless || start == run.ends.end() || entry.reading_start) return;
  if (entry.memory.start_report || entry.memory.start_read) return;
  const PodView* starter = pod_of(run, Part::Master, 0);
  if (auto report = agent::decode_start_report(start->second.message)) {
    entry.memory.start_report = std::move(*report);
  } else if (starter != nullptr) {
    entry.reading_start = true;
    spawn_task(read_start(key, starter->name));
  } else {
    entry.memory.start_read = true;
  }
}

bool KubernetesRuntime::Impl::has_passed_all(const RunKey& key) {
  const RunObjects* run = cache_.find(key);
  if (run == nullptr || !run->service) return true;
  const auto frozen = frozen_of(key, *run->service);
  if (!frozen) return true;
  const auto& memory = entries_[key].memory;
  const auto& spec = (*frozen)->spec;
  const auto passed = std::count_if(memory.checks.begin(), memory.checks.end(),
                                    [](const auto& entry) { return entry.second.passed; });
  return static_cast<size_t>(passed) >=
         spec.health_check.checks.size() * static_cast<size_t>(spec.worker.replicas);
}

void KubernetesRuntime::Impl::take_report(const RunKey& key, std::string_view line) {
  const auto report = agent::decode_check_report(line);
  const RunObjects* run = cache_.find(key);
  if (!report || run == nullptr || !run->service) return;
  const auto frozen = frozen_of(key, *run->service);
  if (!frozen || report->worker < 0 || report->worker >= (*frozen)->spec.worker.replicas) return;
  const auto& checks = (*frozen)->spec.health_check.checks;
  const bool known = std::any_of(checks.begin(), checks.end(),
                                 [&](const auto& check) { return check.name == report->name; });
  if (!known) return;
  auto& result = entries_[key].memory.checks[{report->name, report->worker}];
  const bool passed = result.passed || report->passed;
  result = {.name = report->name,
            .worker = report->worker,
            .passed = passed,
            .tries = report->tries,
            .last_error = passed ? "" : truncate(to_printable(report->error), 300)};
}

Task<void> KubernetesRuntime::Impl::follow_prober(RunKey key, std::string pod,
                                                  std::string container) {
  const auto self = shared_from_this();
  for (;;) {
    kube::Call call{.target = kube::with_query(kube::path_of(kube::kPods, key.ns, pod, "log"),
                                               {{"container", container}, {"follow", "true"}})};
    call.timeout = kDoubtfulSilence;
    call.idle_timeout = kDoubtfulSilence;
    const auto lines = std::make_shared<LineReader>();
    std::function<bool(std::string_view)> sink = [self, key, lines](std::string_view piece) {
      lines->add(piece, [&](std::string_view line) { self->take_report(key, line); });
      if (self->cache_.find(key) != nullptr) self->touched(key);
      return !self->stopping_;
    };
    auto streaming = stream_log(std::move(call), std::move(sink));
    const auto ended = co_await std::move(streaming);
    const RunObjects* run = cache_.find(key);
    if (stopping_ || run == nullptr || has_passed_all(key)) co_return;
    const auto found = run->pods.find(pod);
    if (found == run->pods.end() || found->second.ended()) co_return;
    if (entries_[key].memory.checks_stopped) co_return;
    if (!ended && ended.error().kind == ErrorKind::Timeout) continue;
    const SteadyTime again = in(kAgain);
    while (!stopping_ && std::chrono::steady_clock::now() < again) co_await wait_change(again);
    if (stopping_) co_return;
  }
}

Task<void> KubernetesRuntime::Impl::read_start(RunKey key, std::string pod) {
  const auto self = shared_from_this();
  constexpr int kTries = 5;
  for (int tries = 0; tries < kTries && !stopping_; ++tries) {
    auto reading = read_log(key.ns, pod);
    const auto output = co_await std::move(reading);
    if (cache_.find(key) == nullptr) co_return;
    if (output) {
      LineReader().add(*output, [&](std::string_view line) {
        auto report = agent::decode_start_report(line);
        if (report) entries_[key].memory.start_report = std::move(*report);
      });
      break;
    }
    const SteadyTime again = in(kAgain);
    while (!stopping_ && std::chrono::steady_clock::now() < again) co_await wait_change(again);
  }
  if (cache_.find(key) == nullptr) co_return;
  entries_[key].memory.start_read = true;
  touched(key);
}

AsyncResult<std::string> KubernetesRuntime::Impl::warning_of(std::string ns, std::string uid) {
  kube::Call call{
      .target = kube::with_query(
          kube::path_of(kCoreEvents, ns),
          {{"fieldSelector", "involvedObject.uid=" + uid + ",type=Warning"}, {"limit", "50"}})};
  auto calling = client_.call(std::move(call));
  const auto answer = co_await std::move(calling);
  if (!answer) co_return std::unexpected(answer.error());
  const Json list = Json::parse(*answer, nullptr, false);
  if (!list.is_object()) co_return std::string();
  co_return newest_warning(list);
}

void KubernetesRuntime::Impl::begin_scouting(const RunKey& key) {
  if (cache_.find(key) == nullptr || std::exchange(entries_[key].scouting, true)) return;
  spawn_task(scout(key));
}

Task<void> KubernetesRuntime::Impl::scout(RunKey key) {
  const auto self = shared_from_this();
  SteadyTime look = in(kPatience);
  for (;;) {
    while (!stopping_ && std::chrono::steady_clock::now() < look) co_await wait_change(look);
    const RunObjects* run = cache_.find(key);
    if (stopping_ || run == nullptr || !run->service) co_return;
    const auto frozen = frozen_of(key, *run->service);
    if (!frozen) co_return;
    const std::string stuck = find_stuck(*run, **frozen);
    std::string problem;
    if (!stuck.empty()) {
      auto asking = warning_of(key.ns, stuck);
      const auto warning = co_await std::move(asking);
      if (cache_.find(key) == nullptr) co_return;
      // No right to read events: the status says less, the run goes on.
      if (warning) problem = *warning;
    }
    RunEntry& entry = entries_[key];
    const bool news = entry.memory.problem != problem;
    entry.memory.problem = std::move(problem);
    if (news) touched(key);
    run = cache_.find(key);
    if (run == nullptr) co_return;
    if (all_came(*run, **frozen)) break;
    look = in(kLookEvery);
  }
  entries_[key].scouting = false;
}

}  // namespace atq::kubernetes
