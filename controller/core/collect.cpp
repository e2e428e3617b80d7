// Collecting: the verdict is latched; what runs is ended, master first, what it left is read, and
// the run is finished. The collect deadline bounds it all.

#include <algorithm>

#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

/// How long killed processes may take to be gone before the run is finished without them.
constexpr int64_t kKillPatienceSeconds = 10;

struct Living {
  bool master = false;
  bool master_is_inert = false;
  bool workers = false;
  bool any() const { return master || workers; }
};

Living living_of(const Pass& pass) {
  Living living;
  if (pass.run == nullptr) return living;
  if (pass.run->master && is_alive(*pass.run->master)) {
    living.master = true;
    living.master_is_inert = pass.run->master->state == ReplicaState::Inert;
  }
  living.workers = std::any_of(pass.run->workers.begin(), pass.run->workers.end(), is_alive);
  return living;
}

struct Deadlines {
  TimePoint survivors;  ///< workers no longer wait for the master's end
  TimePoint kill;       ///< no more grace
  TimePoint give_up;    ///< finished, whatever runs
};

Deadlines deadlines_of(const Pass& pass) {
  const api::RunPolicy& policy = pass.policy();
  const TimePoint from = *pass.status.run.collecting_at;
  Deadlines deadlines;
  deadlines.survivors = after(from, policy.stop_grace_seconds);
  deadlines.kill = after(from, policy.collect_deadline_seconds);
  deadlines.give_up = after(deadlines.kill, kKillPatienceSeconds);
  return deadlines;
}

void stop_roles(Pass& pass, const Living& living, const Deadlines& deadlines) {
  const bool kill = pass.now >= deadlines.kill || is_stop_now(pass);
  const StopMode mode = kill ? StopMode::Now : StopMode::Graceful;
  const auto stop = [&](Role role) {
    const Duration grace = std::chrono::seconds{pass.policy().stop_grace_seconds};
    pass.act(Stop{.run = pass.id(), .role = role, .mode = mode, .grace = grace});
  };
  const bool master_first =
      living.master && !living.master_is_inert && !kill && pass.now < deadlines.survivors;
  // A stop that keeps failing for one role must not keep the other from its own.
  const auto& failure = pass.world.failure;
  const bool turn = failure && failure->action == "Stop" && failure->attempts % 2 == 1;
  const bool workers = living.workers && !master_first;
  if (workers && turn) stop(Role::Worker);
  if (living.master) stop(Role::Master);
  if (workers && !turn) stop(Role::Worker);
  pass.wake_at(master_first && living.workers ? std::min(deadlines.survivors, deadlines.kill)
               : kill                         ? deadlines.give_up
                                              : deadlines.kill);
}

void remember_in_history(Pass& pass) {
  auto& history = pass.status.history;
  const api::HistoryEntry entry{
      .number = pass.status.run.number, .verdict = pass.status.verdict, .finished_at = pass.now};
  std::erase_if(history, [&](const api::HistoryEntry& old) { return old.number == entry.number; });
  history.insert(history.begin(), entry);
  if (history.size() > api::kMaxHistory) history.resize(api::kMaxHistory);
}

void finish(Pass& pass) {
  pass.status.run.finished_at = pass.now;
  remember_in_history(pass);
  pass.wake_at(pass.now);  // cleaning up and the next run come once this is written
}

}  // namespace

void collect(Pass& pass) {
  const Living living = living_of(pass);
  const Deadlines deadlines = deadlines_of(pass);
  if (pass.run == nullptr || pass.now >= deadlines.give_up) return finish(pass);
  if (living.any()) return stop_roles(pass, living, deadlines);
  if (pass.run->results_collected || pass.now >= deadlines.kill) return finish(pass);
  if (pass.run->checks_exist) pass.act(StopChecks{pass.id()});
  pass.act(Collect{pass.id()});
  pass.wake_at(deadlines.kill);
}

}  // namespace atq::core
