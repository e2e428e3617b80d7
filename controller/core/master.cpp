// Master: the load is let go, once, by a write that is conditional on the version seen; and the
// run's end. Without a master the workers are released together, which is then this phase.

#include <algorithm>

#include "controller/core/policies.hpp"
#include "controller/core/thresholds.hpp"
#include "controller/core/verdict.hpp"

namespace atq::core {
namespace {

bool has_ended(const Pass& pass) {
  if (pass.masterless()) return pass.workers.alive == 0;
  return pass.run->master && pass.run->master->state == ReplicaState::Exited;
}

/// When the last of the roles that end the run did so, by the runtime's clock; never after now.
TimePoint ended_at(const Pass& pass) {
  TimePoint last = *pass.status.run.master_started_at;
  const auto note = [&](const Replica& replica) {
    if (replica.exit) last = std::max(last, std::min(replica.exit->at, pass.now));
  };
  if (!pass.masterless()) {
    note(*pass.run->master);
  } else {
    for (const Replica& worker : pass.run->workers) note(worker);
  }
  return last;
}

void release_again(Pass& pass) {
  const bool inert = pass.masterless()
                         ? pass.workers.inert > 0
                         : pass.run->master && pass.run->master->state == ReplicaState::Inert;
  if (!inert) return;
  const Role role = pass.masterless() ? Role::Worker : Role::Master;
  pass.act(Release{.run = pass.id(), .role = role, .version = pass.run->version});
  pass.waiting = "Releasing";
  pass.blocked = "the load is being released";
}

void fill_summary(Pass& pass) {
  if (!pass.run->statement) return;
  const Statement& statement = *pass.run->statement;
  api::Summary summary;
  summary.final = true;
  summary.workers_reporting = pass.workers.left();
  summary.requests = statement.requests;
  summary.failures = statement.failures;
  summary.requests_per_second = tidy(statement.requests_per_second, 32);
  pass.status.summary = std::move(summary);
}

void pronounce(Pass& pass) {
  std::vector<const Replica*> ends;
  if (pass.masterless()) {
    for (const Replica& worker : pass.run->workers) {
      if (!is_lost(pass, worker)) ends.push_back(&worker);
    }
  } else {
    ends.push_back(&*pass.run->master);
  }
  const Role role = pass.masterless() ? Role::Worker : Role::Master;
  Judgement judgement = judge(ends, role, pass.run->statement, pass.frozen->closing);
  fill_summary(pass);
  judge_thresholds(pass, judgement);
  latch(pass, judgement.verdict, judgement.reason, std::move(judgement.message));
}

}  // namespace

bool is_released(const Pass& pass) {
  if (pass.run == nullptr || pass.frozen == nullptr) return false;
  if (!pass.masterless()) {
    const auto& master = pass.run->master;
    return master &&
           (master->state == ReplicaState::Running || master->state == ReplicaState::Exited);
  }
  // An inert worker that dies exits by a signal or the agent's code; only a released one has run.
  return std::any_of(pass.run->workers.begin(), pass.run->workers.end(), [&](const Replica& w) {
    if (w.state == ReplicaState::Running) return true;
    return w.state == ReplicaState::Exited && w.exit &&
           word_of(*w.exit, pass.frozen->closing) != ExitWord::Error;
  });
}

bool release_load(Pass& pass) {
  if (pass.status.run.master_started_at) return true;
  const bool exists = pass.masterless() || (pass.run->master && is_alive(*pass.run->master));
  if (!exists) {
    pass.waiting = "MasterNotCreated";
    pass.blocked = "waiting for the master to be created";
    return false;
  }
  if (!pass.masterless() && pass.run->master->state == ReplicaState::Starting) {
    pass.waiting = "MasterNotCreated";
    pass.blocked = "waiting for the master to be created";
    return false;
  }
  pass.status.run.master_started_at = pass.now;
  return true;
}

void await_end(Pass& pass) {
  if (!pass.masterless() &&
      (!pass.run->master || pass.run->master->state == ReplicaState::Absent)) {
    latch(pass, api::Verdict::Error, "MasterLost", "the master's record is gone");
    return;
  }
  if (!has_ended(pass)) {
    release_again(pass);
    if (pass.run->checks_exist) pass.act(StopChecks{pass.id()});
    if (pass.waiting.empty()) pass.waiting = "Running";
    return;
  }
  const int64_t patience = pass.policy().collect_deadline_seconds;
  const TimePoint judge_by =
      std::min(after(ended_at(pass), patience), after(active_deadline(pass), patience));
  if (!pass.run->results_collected && pass.now < judge_by) {
    pass.act(Collect{pass.id()});
    pass.wake_at(judge_by);
    pass.waiting = "ReadingResults";
    pass.blocked = "the load has ended, its results are being read";
    return;
  }
  pronounce(pass);
}

}  // namespace atq::core
