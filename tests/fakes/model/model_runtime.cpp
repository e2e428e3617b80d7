#include "tests/fakes/model/model_runtime.hpp"

#include <algorithm>

namespace atq::fakes {

using core::Replica;
using core::ReplicaState;
using core::Role;
using namespace std::chrono_literals;

namespace {

bool is_live(const Replica& replica) {
  return replica.state == ReplicaState::Starting || replica.state == ReplicaState::Running;
}

void earliest(std::optional<TimePoint>& best, const std::optional<TimePoint>& other) {
  if (other && (!best || *other < *best)) best = other;
}

}  // namespace

// ---- actions ---------------------------------------------------------------------------------

struct ModelRuntime::Applier {
  ModelRuntime& model;
  TimePoint now;

  Result<Run*> find(const core::RunId& id) const {
    const auto found = model.runs_.find(id.number);
    if (found == model.runs_.end()) {
      return fail(ErrorKind::NotFound, "no run " + std::to_string(id.number));
    }
    return &found->second;
  }
  template <class Do>
  Result<void> with(const core::RunId& id, Do&& act) const {
    const auto run = find(id);
    if (!run) return std::unexpected(run.error());
    act(**run);
    return {};
  }

  Result<void> operator()(const core::BeginRun& action) const {
    model.begin(action, now);
    return {};
  }
  Result<void> operator()(const core::EnsureWorkers& action) const {
    return with(action.run, [&](Run& run) { model.make_workers(run, now); });
  }
  Result<void> operator()(const core::EnsureChecks& action) const {
    return with(action.run, [&](Run& run) { model.make_checks(run, now); });
  }
  Result<void> operator()(const core::EnsureMaster& action) const {
    return with(action.run, [&](Run& run) { model.make_master(run, now); });
  }
  Result<void> operator()(const core::Release& action) const {
    const auto run = find(action.run);
    if (!run) return std::unexpected(run.error());
    return model.release(**run, action, now);
  }
  Result<void> operator()(const core::StopChecks& action) const {
    return with(action.run, [](Run& run) { run.seen.checks_exist = false; });
  }
  Result<void> operator()(const core::Stop& action) const {
    return with(action.run, [&](Run& run) { model.stop(run, action, now); });
  }
  Result<void> operator()(const core::Collect& action) const {
    return with(action.run, [&](Run& run) { model.collect(run); });
  }
  Result<void> operator()(const core::RemoveRun& action) const {
    model.runs_.erase(action.run.number);
    return {};
  }
  Result<void> operator()(const core::Finalize&) const {
    if (!model.runs_.empty()) model.violate("finalized while runs are left");
    return {};
  }
};

Result<void> ModelRuntime::apply(const core::Action& action, TimePoint now) {
  return std::visit(Applier{*this, now}, action);
}

void ModelRuntime::begin(const core::BeginRun& action, TimePoint now) {
  if (action.frozen == nullptr) return violate("BeginRun without a frozen spec");
  const auto [place, is_new] = runs_.try_emplace(action.run.number);
  if (!is_new) return;
  Run& run = place->second;
  run.again = begun_[action.run.number]++ > 0;
  run.frozen = action.frozen;
  run.seen.number = action.run.number;
  if (!random_.percent(habits_.network_never)) {
    run.network_at = now + random_.up_to(1000ms);
    if (random_.percent(50)) run.network_at = now;
  }
  bump(run);
  advance(now);
}

ModelRuntime::Fate ModelRuntime::draw_worker(const Run& run) {
  Fate fate;
  fate.ready_after = random_.up_to(3000ms);
  fate.never_ready = random_.percent(habits_.worker_never_ready);
  if (random_.percent(habits_.worker_dies_early)) {
    fate.lives = random_.up_to(12'000ms);
    constexpr int kCodes[] = {0, 1, 1, 121};
    fate.code = kCodes[random_.below(4)];
    if (random_.percent(30)) {
      fate.signal = 9;
      fate.code = 137;
    }
  } else if (!run.frozen->spec.master) {
    fate.lives = random_.up_to(20'000ms);
    const bool code_is_word = run.frozen->closing.pattern.empty();
    fate.code = code_is_word && random_.percent(10) ? 1 : 0;
    if (random_.percent(habits_.master_never_ends)) fate.lives.reset();
  }
  return fate;
}

void ModelRuntime::make_workers(Run& run, TimePoint now) {
  const int replicas = run.frozen->spec.worker.replicas;
  while (static_cast<int>(run.seen.workers.size()) < replicas) {
    Replica worker;
    worker.index = static_cast<int>(run.seen.workers.size());
    worker.address = "127.0.0." + std::to_string(worker.index + 1);
    worker.state = ReplicaState::Inert;
    Fate fate = draw_worker(run);
    if (run.frozen->spec.master) start(run, Role::Worker, worker, fate, now);
    run.seen.workers.push_back(std::move(worker));
    run.fates.push_back(fate);
  }
}

ModelRuntime::Fate ModelRuntime::draw_master() {
  Fate fate;
  fate.lives = random_.up_to(20'000ms);
  if (random_.percent(habits_.master_never_ends)) fate.lives.reset();
  if (random_.percent(habits_.master_fails)) {
    fate.code = random_.percent(50) ? 1 : 127;
    if (random_.percent(20)) {
      fate.signal = 11;
      fate.code = 139;
    }
  }
  return fate;
}

void ModelRuntime::make_master(Run& run, TimePoint now) {
  if (run.seen.master) return;
  if (!run.frozen->spec.master) return violate("a master in a masterless run");
  run.seen.master = Replica{.index = 0, .state = ReplicaState::Inert, .address = "127.0.1.1"};
  run.master_fate = draw_master();
  if (random_.percent(50)) {  // made, but its process is not seen yet
    run.seen.master->state = ReplicaState::Starting;
    run.master_fate.inert_at = now + random_.up_to(500ms);
  }
  bump(run);
}

void ModelRuntime::make_checks(Run& run, TimePoint now) {
  if (run.seen.checks_exist) return;
  run.seen.checks_exist = true;
  if (!run.checks.empty()) return;
  for (const auto& item : run.frozen->spec.health_check.checks) {
    for (const Replica& worker : run.seen.workers) {
      run.seen.checks.push_back({.name = item.name, .worker = worker.index});
      Check check;
      if (!random_.percent(habits_.check_never_passes)) {
        check.passes_at = now + random_.up_to(3000ms);
      }
      run.checks.push_back(check);
    }
  }
}

/// What must hold at the very moment the load is let go.
void ModelRuntime::check_release(const Run& run) {
  for (const Replica& worker : run.seen.workers) {
    if (run.frozen->spec.master && is_live(worker) && !worker.ready) {
      violate("released before worker " + std::to_string(worker.index) + " was ready");
    }
  }
  const size_t expected = run.frozen->spec.health_check.checks.size();
  for (const Replica& worker : run.seen.workers) {
    if (worker.state == ReplicaState::Exited) continue;
    size_t passed = 0;
    for (const auto& check : run.seen.checks) {
      if (check.worker == worker.index && check.passed) ++passed;
    }
    if (passed < expected) violate("released before the checks had passed");
  }
}

Result<void> ModelRuntime::release(Run& run, const core::Release& action, TimePoint now) {
  if (action.version != run.seen.version) {
    return fail(ErrorKind::Conflict, "the version is " + run.seen.version);
  }
  if (!run.released) check_release(run);
  run.released = true;
  if (action.role == Role::Master) {
    if (run.seen.master && run.seen.master->state == ReplicaState::Inert) {
      start(run, Role::Master, *run.seen.master, run.master_fate, now);
    }
    return {};
  }
  for (size_t i = 0; i < run.seen.workers.size(); ++i) {
    Replica& worker = run.seen.workers[i];
    if (worker.state == ReplicaState::Inert) start(run, Role::Worker, worker, run.fates[i], now);
  }
  return {};
}

void ModelRuntime::start(Run& run, Role role, Replica& replica, Fate& fate, TimePoint now) {
  replica.state = ReplicaState::Starting;
  fate.at = now + random_.up_to(2000ms);
  fate.unkillable = random_.percent(habits_.unkillable);
  if (fate.unkillable) has_unkillable_ = true;
  if (role == Role::Worker && random_.percent(habits_.worker_never_starts)) fate.at.reset();
  const int count = ++starts_[{run.seen.number, role, replica.index}];
  if (count > 1 && (role == Role::Master || !run.again)) {
    violate(std::string(core::to_string(role)) + " " + std::to_string(replica.index) + " of run " +
            std::to_string(run.seen.number) + " was started twice");
  }
  for (const auto& [number, other] : runs_) {
    const bool loading = other.seen.master && is_live(*other.seen.master);
    if (role == Role::Master && number != run.seen.number && loading) {
      violate("two runs make load at a time");
    }
  }
}

void ModelRuntime::end(Replica& replica, Fate& fate, TimePoint at, int code, int signal) {
  const Duration ran = fate.running_since == TimePoint{} ? Duration{} : at - fate.running_since;
  replica.state = ReplicaState::Exited;
  replica.exit =
      core::Exit{.code = code, .signal = signal, .at = at, .ran_for = ran, .last_lines = {"bye"}};
  fate.at.reset();
  fate.kill_at.reset();
  fate.inert_at.reset();
}

void ModelRuntime::stop_replica(Replica& replica, Fate& fate, const core::Stop& action,
                                TimePoint now) {
  if (replica.state == ReplicaState::Inert) return end(replica, fate, now, 137, 9);
  if (!is_live(replica) || fate.unkillable) return;
  TimePoint at = now + 10ms;
  if (action.mode == core::StopMode::Graceful) {
    at = now + (random_.percent(habits_.ignores_graceful) ? action.grace
                                                          : std::min(action.grace, Duration(1s)));
  }
  earliest(fate.kill_at, at);
}

void ModelRuntime::stop(Run& run, const core::Stop& action, TimePoint now) {
  if (action.role == Role::Master) {
    if (run.seen.master) stop_replica(*run.seen.master, run.master_fate, action, now);
  } else {
    for (size_t i = 0; i < run.seen.workers.size(); ++i) {
      stop_replica(run.seen.workers[i], run.fates[i], action, now);
    }
  }
  bump(run);
}

void ModelRuntime::collect(Run& run) {
  if (run.seen.results_collected) return;
  run.seen.results_collected = true;
  if (!run.frozen->closing.pattern.empty() && !random_.percent(habits_.no_statement)) {
    run.seen.statement = core::Statement{
        .requests = random_.below(200), .failures = 0, .requests_per_second = "10.0"};
  }
}

void ModelRuntime::take_over() {
  for (auto& [number, run] : runs_) bump(run);
}

// ---- time ------------------------------------------------------------------------------------

void ModelRuntime::step(Run& run, Role role, Replica& replica, Fate& fate, TimePoint now) {
  if (fate.inert_at && *fate.inert_at <= now) {
    if (replica.state == ReplicaState::Starting) replica.state = ReplicaState::Inert;
    fate.inert_at.reset();
  }
  if (replica.state == ReplicaState::Starting && fate.at && *fate.at <= now &&
      (!fate.kill_at || *fate.at <= *fate.kill_at)) {
    replica.state = ReplicaState::Running;
    fate.running_since = *fate.at;
    fate.at = fate.lives ? std::optional(fate.running_since + *fate.lives) : std::nullopt;
  }
  if (replica.state == ReplicaState::Running && !fate.never_ready &&
      fate.running_since + fate.ready_after <= now) {
    replica.ready = true;
  }
  if (replica.state == ReplicaState::Running && fate.at && *fate.at <= now &&
      (!fate.kill_at || *fate.at <= *fate.kill_at)) {
    end(replica, fate, *fate.at, fate.code, fate.signal);
  }
  if (is_live(replica) && fate.kill_at && *fate.kill_at <= now) {
    end(replica, fate, *fate.kill_at, 143, 15);
  }
  // Workers of a tool that ends them with the master follow it.
  const auto& master = run.seen.master;
  if (role == Role::Worker && run.frozen->workers_exit_alone && is_live(replica) &&
      !fate.unkillable && master && master->exit && !master->exit->signal) {
    end(replica, fate, std::max(master->exit->at, fate.running_since), 0, 0);
  }
}

void ModelRuntime::advance(TimePoint now) {
  for (auto& [number, run] : runs_) {
    if (run.network_at && *run.network_at <= now) run.seen.network_ready = true;
    if (run.seen.master) step(run, Role::Master, *run.seen.master, run.master_fate, now);
    for (size_t i = 0; i < run.seen.workers.size(); ++i) {
      step(run, Role::Worker, run.seen.workers[i], run.fates[i], now);
    }
    for (size_t i = 0; i < run.checks.size(); ++i) {
      const auto& due = run.checks[i].passes_at;
      if (run.seen.checks_exist && due && *due <= now) run.seen.checks[i].passed = true;
    }
  }
}

std::optional<TimePoint> ModelRuntime::next_change() const {
  std::optional<TimePoint> next;
  const auto replica_next = [&](const Replica& replica, const Fate& fate) {
    if (!is_live(replica)) return;
    earliest(next, fate.at);
    earliest(next, fate.kill_at);
    earliest(next, fate.inert_at);
    if (replica.state == ReplicaState::Running && !replica.ready && !fate.never_ready) {
      earliest(next, fate.running_since + fate.ready_after);
    }
  };
  for (const auto& [number, run] : runs_) {
    if (!run.seen.network_ready) earliest(next, run.network_at);
    if (run.seen.master) replica_next(*run.seen.master, run.master_fate);
    for (size_t i = 0; i < run.seen.workers.size(); ++i) {
      replica_next(run.seen.workers[i], run.fates[i]);
    }
    for (size_t i = 0; i < run.checks.size(); ++i) {
      if (run.seen.checks_exist && !run.seen.checks[i].passed) {
        earliest(next, run.checks[i].passes_at);
      }
    }
  }
  return next;
}

std::vector<core::ObservedRun> ModelRuntime::observe() const {
  std::vector<core::ObservedRun> all;
  all.reserve(runs_.size());
  for (const auto& [number, run] : runs_) all.push_back(run.seen);
  return all;
}

std::shared_ptr<const api::FrozenSpec> ModelRuntime::frozen(int64_t run) const {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : found->second.frozen;
}

bool ModelRuntime::is_quiet() const {
  const auto alive = [](const Replica& replica) {
    return is_live(replica) || replica.state == ReplicaState::Inert;
  };
  return std::none_of(runs_.begin(), runs_.end(), [&](const auto& entry) {
    const auto& seen = entry.second.seen;
    return (seen.master && alive(*seen.master)) ||
           std::any_of(seen.workers.begin(), seen.workers.end(), alive);
  });
}

}  // namespace atq::fakes
