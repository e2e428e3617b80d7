// Workers that left the run: before the load began with any exit, during it by an exit that is no
// proper end, or so early that the master cannot end properly (JMeter's master waits for ever for a
// server that is gone). A lost worker never comes back.

#include <algorithm>

#include "controller/core/describe.hpp"
#include "controller/core/policies.hpp"
#include "controller/core/verdict.hpp"
#include "src/base/time.hpp"

namespace atq::core {
namespace {

bool master_has_exited(const Pass& pass) {
  return pass.run->master && pass.run->master->state == ReplicaState::Exited;
}

bool is_clean(const Exit& exit) { return exit.code == 0 && exit.signal == 0; }

/// The first proper end of a worker while the master goes on.
std::optional<TimePoint> first_clean_exit(const Pass& pass) {
  std::optional<TimePoint> first;
  for (const Replica& worker : pass.run->workers) {
    if (worker.state != ReplicaState::Exited || !worker.exit || !is_clean(*worker.exit)) continue;
    if (!first || worker.exit->at < *first) first = worker.exit->at;
  }
  return first;
}

/// When workers that have ended by themselves count as lost because the master has not followed.
std::optional<TimePoint> find_patience(const Pass& pass) {
  if (pass.masterless() || !pass.status.run.master_started_at) return std::nullopt;
  if (!pass.frozen->workers_exit_alone || master_has_exited(pass)) return std::nullopt;
  const auto first = first_clean_exit(pass);
  if (!first) return std::nullopt;
  return after(std::max(*first, *pass.status.run.master_started_at),
               pass.frozen->master_ends_within_seconds);
}

/// Whether an exit during the load counts as a loss.
bool is_bad_end(const Pass& pass, const Exit& exit) {
  if (pass.masterless()) return word_of(exit, pass.frozen->closing) == ExitWord::Error;
  // What workers do once the master has ended is of no interest.
  const auto& master = pass.run->master;
  if (master_has_exited(pass) && (!master->exit || exit.at >= master->exit->at)) return false;
  if (!is_clean(exit)) return true;
  return pass.patience_ends && pass.now >= *pass.patience_ends;
}

std::string tell_loss(const Pass& pass, const Replica& worker) {
  if (worker.state == ReplicaState::Absent) return "its record is gone";
  if (pass.status.run.master_started_at && !pass.masterless() && worker.exit &&
      is_clean(*worker.exit)) {
    return "left the run (" + describe(*worker.exit) + ") and the master did not end within " +
           to_human(std::chrono::seconds{pass.frozen->master_ends_within_seconds});
  }
  return describe_state(worker);
}

bool is_loss_fatal(const Pass& pass) {
  if (pass.workers.lost == 0) return false;
  return pass.frozen->spec.worker.on_failure == api::OnFailure::Fail || pass.workers.left() <= 0;
}

/// An exit after the startup deadline is what a director did that could not write its verdict.
bool is_after_startup_deadline(const Pass& pass) {
  if (pass.status.run.master_started_at) return false;
  const TimePoint deadline =
      after(pass.status.run.started_at.value_or(pass.now), pass.policy().startup_deadline_seconds);
  if (pass.now < deadline) return false;
  return std::none_of(pass.run->workers.begin(), pass.run->workers.end(), [&](const Replica& w) {
    return is_lost(pass, w) && (!w.exit || w.exit->at < deadline);
  });
}

}  // namespace

bool is_lost(const Pass& pass, const Replica& worker) {
  if (worker.state == ReplicaState::Absent) return pass.discovered;
  if (worker.state != ReplicaState::Exited) return false;
  if (!pass.status.run.master_started_at || !worker.exit) return true;
  return is_bad_end(pass, *worker.exit);
}

namespace {

WorkerTally count_seen(const Pass& pass) {
  WorkerTally tally;
  const bool inert_is_ready = pass.masterless();
  for (const Replica& worker : pass.run->workers) {
    const bool lost = is_lost(pass, worker);
    if (worker.state != ReplicaState::Absent) ++tally.present;
    if (lost) ++tally.lost;
    if (is_alive(worker)) ++tally.alive;
    if (worker.state == ReplicaState::Inert) ++tally.inert;
    if (worker.state == ReplicaState::Exited) ++tally.exited;
    if (!lost && !worker.address.empty()) ++tally.discovered;
    const bool ready = (worker.state == ReplicaState::Running && worker.ready) ||
                       (worker.state == ReplicaState::Inert && inert_is_ready) ||
                       (worker.state == ReplicaState::Exited && !lost);
    if (ready) ++tally.ready;
  }
  return tally;
}

/// Once lost, always lost: also where an exit, seen again, would no longer count as a loss.
void keep_losses(const Pass& pass, WorkerTally& tally) {
  if (pass.stored.run.number == pass.status.run.number) {
    tally.lost = std::max(tally.lost, pass.stored.workers.lost);
  }
  tally.lost = std::clamp(tally.lost, 0, tally.desired);
  tally.ready = std::min(tally.ready, tally.left());
  tally.discovered = std::min(tally.discovered, tally.left());
}

}  // namespace

void count_workers(Pass& pass) {
  pass.workers = {};
  pass.patience_ends.reset();
  if (pass.frozen == nullptr) return;
  const int desired = pass.frozen->spec.worker.replicas;
  if (pass.run != nullptr) {
    pass.patience_ends = find_patience(pass);
    pass.workers = count_seen(pass);
    // Fewer entries than workers: those without one are gone, too.
    const int missing = desired - static_cast<int>(pass.run->workers.size());
    if (pass.discovered && missing > 0) pass.workers.lost += missing;
  }
  pass.workers.desired = desired;
  keep_losses(pass, pass.workers);
}

void enforce_worker_loss(Pass& pass) {
  if (pass.patience_ends && pass.now < *pass.patience_ends) pass.wake_at(*pass.patience_ends);
  if (!is_loss_fatal(pass) || is_after_startup_deadline(pass)) return;
  WorkerList list;
  for (const Replica& worker : pass.run->workers) {
    if (is_lost(pass, worker)) list.add(worker.index, [&] { return tell_loss(pass, worker); });
  }
  std::string message = list.take();
  if (message.empty()) {
    message = "the records of " + count_of(pass.workers.lost, "worker") + " are gone";
  }
  if (pass.frozen->spec.worker.on_failure == api::OnFailure::Ignore) {
    message = "no worker is left: " + message;
  }
  const bool loading = pass.status.run.master_started_at.has_value();
  latch(pass, api::Verdict::Error, loading ? "WorkerLost" : "WorkerExited", std::move(message));
}

}  // namespace atq::core
