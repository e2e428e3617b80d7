#include "controller/core/reconcile.hpp"

#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

/// The run was seen once and is not any more: nothing can be said of it.
bool is_record_gone(const Pass& pass) {
  return pass.discovered && (pass.run == nullptr || pass.frozen == nullptr);
}

/// A run whose BeginRun is not seen yet: begin it (again).
void begin(Pass& pass) {
  const bool known = pass.run != nullptr && pass.frozen != nullptr;
  if (!known) pass.frozen = pass.world.resolved.get();
  if (pass.frozen == nullptr) {
    latch(pass, api::Verdict::Error, "SpecInvalid",
          "the spec became invalid before the run could begin");
    return;
  }
  count_workers(pass);
  discover(pass);
  heed_failure(pass);
  enforce_startup_deadline(pass);
}

void start_up(Pass& pass) {
  enforce_worker_loss(pass);
  if (pass.status.run.collecting_at) return;
  const bool ready = discover(pass) && await_workers(pass) && await_health(pass);
  const bool released = ready && release_load(pass);
  heed_failure(pass);
  if (released) {
    enforce_active_deadline(pass);
    await_end(pass);
  } else {
    enforce_startup_deadline(pass);
  }
}

/// The load was released and the director died before it could write so.
void catch_up(Pass& pass) {
  api::RunStatus& run = pass.status.run;
  pass.discovered = true;
  if (!run.workers_ready_at) run.workers_ready_at = pass.now;
  if (!run.checks_passed_at) run.checks_passed_at = pass.now;
  run.master_started_at = pass.now;
  count_workers(pass);
}

void go_through_load(Pass& pass) {
  enforce_worker_loss(pass);
  if (pass.status.run.collecting_at) return;
  enforce_active_deadline(pass);
  if (pass.status.run.collecting_at) return;
  await_end(pass);
  heed_failure(pass);
}

/// A load that could not be released until the startup deadline has not begun.
bool is_stuck_inert(Pass& pass) {
  const bool inert = pass.masterless()
                         ? pass.workers.inert > 0 && pass.workers.inert == pass.workers.alive
                         : pass.run->master && pass.run->master->state == ReplicaState::Inert;
  if (!inert) return false;
  const TimePoint deadline =
      after(pass.status.run.started_at.value_or(pass.now), pass.policy().startup_deadline_seconds);
  if (pass.now < deadline) pass.wake_at(deadline);
  return pass.now >= deadline;
}

void go_through_phases(Pass& pass) {
  if (is_record_gone(pass)) {
    latch(pass, api::Verdict::Error, "RunGone",
          "the run's record is gone from the runtime " + pass.world.capabilities.runtime_name);
    return;
  }
  if (pass.run == nullptr || pass.frozen == nullptr) return begin(pass);
  count_workers(pass);
  if (!pass.status.run.master_started_at && is_released(pass)) catch_up(pass);
  if (!pass.status.run.master_started_at) return start_up(pass);
  if (is_stuck_inert(pass)) {
    heed_failure(pass);
    enforce_startup_deadline(pass);
    return;
  }
  go_through_load(pass);
}

void drive(Pass& pass) {
  if (!pass.active()) return;
  if (!pass.status.run.collecting_at) go_through_phases(pass);
  if (!pass.status.run.collecting_at) return;
  // A run that has just been judged is not started any further.
  std::erase_if(pass.plan.actions,
                [](const Action& action) { return !std::holds_alternative<StopChecks>(action); });
  collect(pass);
}

void manage(Pass& pass) {
  adopt_run(pass);
  serve_stop_request(pass);
  drive(pass);
  pass.cleanup_is_due = is_cleanup_due(pass);
  const int64_t before = pass.status.run.number;
  if (!pass.active()) start_next(pass);
  if (pass.status.run.number != before) drive(pass);
  clean_up(pass);
}

}  // namespace

Plan reconcile(const World& world, TimePoint now) noexcept {
  Plan plan;
  plan.status = world.test->status;
  Pass pass(world, now, plan);
  pass.discovered = holds(plan.status, api::ConditionType::Discovered);
  if (pass.deleting()) {
    delete_all(pass);
  } else {
    manage(pass);
  }
  plan.holds_admission = pass.active();
  fill_status(pass);
  emit_events(pass);
  return plan;
}

}  // namespace atq::core
