#include "src/runtimes/process/run_entry.hpp"

#include <algorithm>
#include <cstdint>

#include <boost/asio/redirect_error.hpp>

#include "src/runtimes/process/launch.hpp"

namespace atq::process {

Task<Turnstile::Pass> Turnstile::enter(const std::shared_ptr<Turnstile>& self) {
  if (!self->busy_) {
    self->busy_ = true;
    co_return Pass(self);
  }
  const auto timer = std::make_shared<boost::asio::steady_timer>(
      self->loop_, boost::asio::steady_timer::time_point::max());
  self->waiting_.push_back(timer);
  boost::system::error_code canceled;
  co_await timer->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, canceled));
  co_return Pass(self);  // leave() kept it busy for us
}

void Turnstile::leave() {
  if (waiting_.empty()) {
    busy_ = false;
    return;
  }
  const auto next = std::move(waiting_.front());
  waiting_.pop_front();
  next->cancel();
}

bool RunEntry::has_workers() const {
  return std::any_of(workers.begin(), workers.end(),
                     [](const ReplicaEntry& worker) { return worker.created; });
}

bool RunEntry::all_over() const {
  const auto over = [](const ReplicaEntry& replica) {
    return !replica.created || (replica.exit && !replica.agent);
  };
  return std::all_of(workers.begin(), workers.end(), over) && (!master || over(*master));
}

std::vector<ReplicaEntry*> RunEntry::replicas(core::Role role) {
  std::vector<ReplicaEntry*> out;
  if (role == core::Role::Master) {
    if (master) out.push_back(&*master);
  } else {
    for (auto& worker : workers) out.push_back(&worker);
  }
  return out;
}

const Place& RunEntry::place(const ReplicaEntry& replica) const {
  return replica.role == core::Role::Master ? *record.master
                                            : record.workers[static_cast<size_t>(replica.index)];
}

namespace {

core::ReplicaState state_of(const RunEntry& run, const ReplicaEntry& replica) {
  if (replica.exit) return core::ReplicaState::Exited;
  if (replica.started) return core::ReplicaState::Running;
  if (!replica.created) return core::ReplicaState::Absent;
  const bool inert = run.waits_for_release(replica) && !replica.released;
  if (replica.role == core::Role::Master) {
    return inert ? core::ReplicaState::Inert : core::ReplicaState::Starting;
  }
  if (!replica.agent && replica.settling == 0) return core::ReplicaState::Absent;
  return inert ? core::ReplicaState::Inert : core::ReplicaState::Starting;
}

core::Replica observe_replica(const RunEntry& run, const ReplicaEntry& replica,
                              const api::FrozenSpec* frozen) {
  core::Replica out;
  out.index = replica.index;
  out.state = state_of(run, replica);
  out.ready = replica.ready;
  out.address = run.place(replica).address;
  out.exit = replica.exit;
  if (out.ready || out.exit) return out;
  if (out.state == core::ReplicaState::Inert) out.not_ready_because = "waits for its release";
  if (out.state == core::ReplicaState::Starting) out.not_ready_because = "its agent is starting";
  if (out.state == core::ReplicaState::Running && frozen != nullptr) {
    out.not_ready_because = describe_readiness(*frozen, run.place(replica));
  }
  return out;
}

std::optional<int64_t> start_skew(const RunEntry& run) {
  if (run.record.master || run.workers.empty()) return std::nullopt;
  int64_t first = INT64_MAX;
  int64_t last = 0;
  for (const auto& worker : run.workers) {
    if (worker.started_at_us == 0) return std::nullopt;
    first = std::min(first, worker.started_at_us);
    last = std::max(last, worker.started_at_us);
  }
  return last - first;
}

std::vector<core::CheckResult> observe_checks(const RunEntry& run, const api::FrozenSpec& frozen) {
  std::vector<core::CheckResult> out;
  for (const auto& check : frozen.spec.health_check.checks) {
    for (const auto& worker : run.workers) {
      const auto found = run.prober.results.find({check.name, worker.index});
      if (found != run.prober.results.end()) {
        out.push_back(found->second);
      } else {
        out.push_back({.name = check.name, .worker = worker.index});
      }
    }
  }
  return out;
}

}  // namespace

core::ObservedRun observe_run(const RunEntry& run, const api::FrozenSpec* frozen,
                              const std::string& version) {
  core::ObservedRun out;
  out.number = run.record.id.number;
  out.network_ready = true;
  if (run.has_workers()) {
    for (const auto& worker : run.workers) {
      out.workers.push_back(observe_replica(run, worker, frozen));
    }
  }
  if (run.master && run.master->created) out.master = observe_replica(run, *run.master, frozen);
  out.checks_exist = run.prober.exists;
  if (run.prober.exists && frozen != nullptr) out.checks = observe_checks(run, *frozen);
  out.statement = run.statement;
  out.start_skew_microseconds = start_skew(run);
  out.results_collected = run.collected;
  out.version = version;
  return out;
}

}  // namespace atq::process
