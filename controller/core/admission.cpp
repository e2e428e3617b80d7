// Whether the wanted run may start now: accepted, not suspended, the last run out of the way, and a
// place under the runtime's limit. The engine keeps the queue; queued_at is the order in it.

#include <algorithm>

#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

/// Since when the wanted run has been waiting for its place. The time of an earlier run is older
/// than that run's end.
void note_queueing(Pass& pass) {
  api::RunStatus& run = pass.status.run;
  const bool is_of_last_run =
      run.number > 0 && run.queued_at && run.finished_at && *run.queued_at < *run.finished_at;
  if (!run.queued_at || is_of_last_run) run.queued_at = pass.now;
}

/// Two runs of one test at a time would spoil each other's numbers, and may want the same ports.
bool is_earlier_run_alive(const Pass& pass) {
  return std::any_of(pass.world.observed.begin(), pass.world.observed.end(),
                     [](const ObservedRun& run) {
                       return (run.master && is_alive(*run.master)) ||
                              std::any_of(run.workers.begin(), run.workers.end(), is_alive);
                     });
}

/// Empty: nothing holds it but, perhaps, admission.
std::string_view obstacle(const Pass& pass) {
  if (!pass.accepted()) return "NotAccepted";
  if (is_suspended(pass)) return "Suspended";
  // The end of the last run must be durable before the next one begins, or it would be forgotten.
  if (pass.status.run.number > 0 && !pass.stored.run.finished_at) return "LastRunEnding";
  if (pass.cleanup_is_due) return "CleaningUp";
  if (is_earlier_run_alive(pass)) return "LastRunAlive";
  return {};
}

}  // namespace

void start_next(Pass& pass) {
  pass.wants_next = is_run_wanted(pass);
  if (!pass.wants_next) return;
  pass.holding = obstacle(pass);
  if (pass.holding == "LastRunEnding") pass.wake_at(pass.now);
  if (!pass.holding.empty()) return;
  note_queueing(pass);
  pass.plan.wants_admission = true;
  if (!pass.world.admission.granted) {
    pass.holding = "Queued";
    return;
  }
  pass.plan.wants_admission = false;
  open_run(pass, pass.status.run.number + 1);
  pass.frozen = pass.world.resolved.get();
  pass.status.run.spec_hash = api::spec_hash(pass.frozen->spec);
}

}  // namespace atq::core
