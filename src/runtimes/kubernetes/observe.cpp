#include "src/runtimes/kubernetes/observe.hpp"

#include <algorithm>
#include <csignal>

#include "src/runtimes/kubernetes/environment.hpp"
#include "src/runtimes/kubernetes/readiness.hpp"

namespace atq::kubernetes {
namespace {

using core::ReplicaState;
using State = ContainerView::State;

core::Exit made_up(int code, int signal, std::string why) {
  core::Exit exit;
  exit.code = code;
  exit.signal = signal;
  exit.diagnosis = std::move(why);
  return exit;
}

/// Where the pod of an index is gone and nobody of us saw it end: the Job's account of it.
std::optional<core::Exit> from_job(const JobView& job, int index) {
  if (contains_index(job.completed_indexes, index)) return made_up(0, 0, "");
  if (contains_index(job.failed_indexes, index)) {
    return made_up(128 + SIGKILL, SIGKILL, "its pod is gone (deleted or evicted)");
  }
  if (job.release == kStopped) return made_up(128 + SIGTERM, SIGTERM, "stopped");
  if (job.finished) {
    return made_up(128 + SIGKILL, SIGKILL,
                   job.failure.empty() ? "its pod is gone" : "its Job failed: " + job.failure);
  }
  return std::nullopt;
}

class Observer {
 public:
  Observer(const RunObjects& run, const api::FrozenSpec& frozen, const RunMemory& memory)
      : run_(run), frozen_(frozen), memory_(memory), plan_(plan_readiness(frozen)) {
    if (run.service && !run.service->collected.empty()) {
      if (auto read = decode_collected(run.service->collected)) collected_ = std::move(*read);
    }
  }

  core::ObservedRun observe() {
    core::ObservedRun out;
    out.network_ready = run_.service.has_value();
    if (run_.service) out.number = run_.service->run;
    const int workers = frozen_.spec.worker.replicas;
    if (job_of(run_, Part::Worker) != nullptr) {
      for (int i = 0; i < workers; ++i) out.workers.push_back(worker(i));
    }
    if (frozen_.spec.master && job_of(run_, Part::Master) != nullptr) out.master = master();
    observe_checks(out);
    out.statement = collected_.statement;
    out.results_collected = run_.service && !run_.service->collected.empty();
    if (memory_.start_report) out.start_skew_microseconds = memory_.start_report->skew_us;
    out.problem = memory_.problem;
    out.version = version();
    return out;
  }

 private:
  bool masterless() const { return !frozen_.spec.master.has_value(); }

  std::string version() const {
    std::string release;
    if (masterless()) {
      if (run_.service) release = run_.service->release;
    } else if (const JobView* job = job_of(run_, Part::Master)) {
      release = job->release;
    }
    return is_nonce(release) ? release : "";
  }

  std::optional<core::Exit> end_of(Part part, int index) const {
    const auto role = part == Part::Master ? core::Role::Master : core::Role::Worker;
    const auto found = run_.ends.find({part, index});
    if (found == run_.ends.end()) return std::nullopt;
    core::Exit exit = explain(
        found->second, part == Part::Master ? frozen_.master_diagnoses : frozen_.worker_diagnoses);
    const auto told = collected_.diagnoses.find(replica_key(role, index));
    if (exit.diagnosis.empty() && told != collected_.diagnoses.end()) {
      exit.diagnosis = told->second;
    }
    return exit;
  }

  core::Replica ended(core::Replica replica, core::Exit exit) const {
    replica.state = ReplicaState::Exited;
    replica.exit = std::move(exit);
    return replica;
  }

  core::Replica worker(int index) {
    core::Replica out{.index = index};
    const JobView& job = *job_of(run_, Part::Worker);
    const PodView* pod = pod_of(run_, Part::Worker, index);
    if (pod != nullptr && !pod->addresses.empty()) out.address = pod->addresses.front();
    out.ready = is_ready(index, pod);
    if (auto exit = end_of(Part::Worker, index)) return ended(std::move(out), std::move(*exit));
    if (pod == nullptr) {
      if (auto exit = from_job(job, index)) return ended(std::move(out), std::move(*exit));
      out.state = ReplicaState::Starting;
      out.not_ready_because = "its pod is not created yet";
      return out;
    }
    if (pod->main.state != State::Running) {
      out.state = ReplicaState::Starting;
      out.not_ready_because = waiting_for(*pod);
      return out;
    }
    if (masterless()) return waiting_worker(std::move(out));
    out.state = ReplicaState::Running;
    if (!out.ready) out.not_ready_because = describe_readiness(plan_);
    return out;
  }

  bool is_ready(int index, const PodView* pod) const {
    if (plan_.readiness_by_container) return run_.was_ready.contains({Part::Worker, index});
    if (pod != nullptr && pod->main.state == State::Running) return true;
    return run_.ends.contains({Part::Worker, index}) &&
           run_.was_ready.contains({Part::Worker, index});
  }

  std::string waiting_for(const PodView& pod) const {
    if (auto trouble = describe_trouble(pod); !trouble.empty()) return trouble;
    if (!memory_.problem.empty()) return memory_.problem;
    if (!pod.scheduled) return "not scheduled to a node yet";
    return "its container is being created";
  }

  /// Its container runs; whether its tool does, only the starter knows.
  core::Replica waiting_worker(core::Replica out) {
    const bool released = run_.service && run_.service->release == kReleased;
    const bool stopped = run_.service && run_.service->release == kStopped;
    if (!(released || stopped) || job_of(run_, Part::Master) == nullptr) {
      out.ready = false;
      out.state = ReplicaState::Inert;
      out.not_ready_because = "waits for its release";
      return out;
    }
    const auto starter = run_.ends.find({Part::Master, 0});
    if (starter == run_.ends.end()) {
      out.ready = false;
      out.state = ReplicaState::Starting;
      const PodView* pod = pod_of(run_, Part::Master, 0);
      out.not_ready_because = "it is being started";
      if (pod != nullptr) {
        if (auto trouble = describe_trouble(*pod); !trouble.empty()) {
          out.not_ready_because = "the starter: " + trouble;
        }
      }
      return out;
    }
    if (starter->second.exit.code != 0) return not_started(std::move(out), starter->second);
    // Not before it is known how far apart they started.
    const bool told = memory_.start_read || memory_.start_report.has_value();
    out.ready = out.ready && told;
    out.state = told ? ReplicaState::Running : ReplicaState::Starting;
    return out;
  }

  core::Replica not_started(core::Replica out, const End& starter) const {
    const auto report = agent::decode_start_report(starter.message);
    const std::string place = endpoint(out.address, plan_.agent_port);
    std::string why = "could not be started";
    if (!report) {
      why +=
          starter.exit.diagnosis.empty() ? ": the starter failed" : ": " + starter.exit.diagnosis;
    } else {
      const auto named =
          std::find_if(report->errors.begin(), report->errors.end(),
                       [&](const std::string& error) { return error.starts_with(place + ":"); });
      if (named == report->errors.end() && report->started > 0) {
        out.state = ReplicaState::Running;
        return out;
      }
      if (!report->errors.empty()) {
        why += ": " + (named == report->errors.end() ? report->errors.front() : *named);
      }
    }
    core::Exit exit = made_up(agent::kCannotStart, 0, std::move(why));
    exit.at = starter.exit.at;
    out.ready = false;
    return ended(std::move(out), std::move(exit));
  }

  core::Replica master() {
    core::Replica out{.index = 0};
    const JobView& job = *job_of(run_, Part::Master);
    const PodView* pod = pod_of(run_, Part::Master, 0);
    if (pod != nullptr && !pod->addresses.empty()) out.address = pod->addresses.front();
    if (auto exit = end_of(Part::Master, 0)) return ended(std::move(out), std::move(*exit));
    if (job.release == kWithdrawn) {
      return ended(std::move(out),
                   made_up(agent::kCannotStart, 0, "stopped before it was released"));
    }
    if (is_nonce(job.release)) {
      out.state = ReplicaState::Inert;
      out.not_ready_because = "waits for its release";
      return out;
    }
    if (pod == nullptr) {
      if (auto exit = from_job(job, 0)) return ended(std::move(out), std::move(*exit));
      out.state = ReplicaState::Starting;
      out.not_ready_because = "its pod is not created yet";
    } else if (pod->main.state == State::Running) {
      out.state = ReplicaState::Running;
      out.ready = true;
    } else {
      out.state = ReplicaState::Starting;
      out.not_ready_because = waiting_for(*pod);
    }
    return out;
  }

  void observe_checks(core::ObservedRun& out) {
    const auto& checks = frozen_.spec.health_check.checks;
    if (checks.empty()) return;
    const bool job = job_of(run_, Part::Probe) != nullptr;
    out.checks_exist = (job || memory_.checks_asked) && !memory_.checks_stopped;
    if (!job && !memory_.checks_asked) return;
    for (const auto& check : checks) {
      for (const auto& replica : out.workers) {
        out.checks.push_back(plan_.check_by_container ? by_container(check.name, replica)
                                                      : by_prober(check.name, replica.index));
      }
    }
  }

  core::CheckResult by_container(const std::string& name, const core::Replica& worker) const {
    core::CheckResult result{.name = name, .worker = worker.index};
    result.passed = run_.was_ready.contains({Part::Worker, worker.index});
    if (worker.state != ReplicaState::Running) return result;
    if (!result.passed) result.last_error = describe_readiness(plan_);
    return result;
  }

  core::CheckResult by_prober(const std::string& name, int worker) const {
    const auto found = memory_.checks.find({name, worker});
    if (found != memory_.checks.end()) return found->second;
    core::CheckResult result{.name = name, .worker = worker};
    const PodView* pod = pod_of(run_, Part::Probe, 0);
    std::string trouble = pod != nullptr ? describe_trouble(*pod) : "";
    if (trouble.empty()) trouble = memory_.problem;
    if (!trouble.empty()) result.last_error = "the prober: " + trouble;
    return result;
  }

  const RunObjects& run_;
  const api::FrozenSpec& frozen_;
  const RunMemory& memory_;
  ReadinessPlan plan_;
  Collected collected_;
};

}  // namespace

core::ObservedRun observe_run(const RunObjects& run, const api::FrozenSpec& frozen,
                              const RunMemory& memory) {
  return Observer(run, frozen, memory).observe();
}

core::ObservedRun observe_damaged(int64_t number, std::string problem) {
  core::ObservedRun out;
  out.number = number;
  out.problem = std::move(problem);
  return out;
}

const PodView* pod_of(const RunObjects& run, Part part, int index) {
  const PodView* best = nullptr;
  const auto rank = [](const PodView& pod) {
    return (pod.ended() ? 0 : 2) + (pod.deleting ? 0 : 1);
  };
  for (const auto& [name, pod] : run.pods) {
    if (pod.part != part || pod.index != index) continue;
    if (best == nullptr || rank(pod) > rank(*best) ||
        (rank(pod) == rank(*best) && pod.created_at > best->created_at)) {
      best = &pod;
    }
  }
  return best;
}

const JobView* job_of(const RunObjects& run, Part part) {
  const auto found = run.jobs.find(part);
  if (found == run.jobs.end() || !run.service) return nullptr;
  return found->second.owner_uid == run.service->uid ? &found->second : nullptr;
}

bool is_active(const RunObjects& run, Part part) {
  for (const auto& [name, pod] : run.pods) {
    if (pod.part == part && !pod.ended()) return true;
  }
  const JobView* job = job_of(run, part);
  return job != nullptr && !job->suspended && !job->finished;
}

bool is_nonce(const std::string& release) {
  return !release.empty() && release != kReleased && release != kStopped && release != kWithdrawn;
}

std::vector<std::string> addresses_of(const RunObjects& run, int workers) {
  std::vector<std::string> out(static_cast<size_t>(workers));
  for (int i = 0; i < workers; ++i) {
    const PodView* pod = pod_of(run, Part::Worker, i);
    if (pod != nullptr && !pod->addresses.empty()) {
      out[static_cast<size_t>(i)] = pod->addresses.front();
    }
  }
  return out;
}

}  // namespace atq::kubernetes
