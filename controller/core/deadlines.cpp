// No phase lasts for ever. Deadlines count from times in the status, so they go on while no
// director runs.

#include "controller/core/policies.hpp"
#include "src/base/time.hpp"

namespace atq::core {
namespace {

struct Late {
  std::string_view reason;
  std::string_view what;
};

Late late_phase(const Pass& pass) {
  if (!pass.discovered) return {"DiscoveryDeadlineExceeded", "not all workers were discovered"};
  const api::RunStatus& run = pass.status.run;
  if (!run.workers_ready_at) return {"WorkersNotReady", "not all workers were ready"};
  if (!run.checks_passed_at) return {"HealthCheckFailed", "the health checks did not pass"};
  return {"MasterNotReleased", "the load was not released"};
}

}  // namespace

TimePoint active_deadline(const Pass& pass) {
  const TimePoint from = pass.status.run.master_started_at.value_or(pass.now);
  return after(from, pass.policy().active_deadline_seconds);
}

void enforce_startup_deadline(Pass& pass) {
  const int64_t seconds = pass.policy().startup_deadline_seconds;
  const TimePoint deadline = after(pass.status.run.started_at.value_or(pass.now), seconds);
  if (pass.now < deadline) {
    pass.wake_at(deadline);
    return;
  }
  const Late late = late_phase(pass);
  std::string message(late.what);
  message += " within " + to_human(std::chrono::seconds{seconds});
  if (!pass.blocked.empty()) message += ": " + pass.blocked;
  latch(pass, api::Verdict::Error, late.reason, std::move(message));
}

void enforce_active_deadline(Pass& pass) {
  const TimePoint deadline = active_deadline(pass);
  const bool master_ended = !pass.masterless() && pass.run->master && pass.run->master->exit &&
                            pass.run->master->state == ReplicaState::Exited;
  // A master that a director stopped at the deadline, dying before it could say so, ended late.
  if (master_ended && pass.run->master->exit->at < deadline) return;
  if (pass.masterless() && pass.workers.alive == 0) return;
  if (pass.now < deadline) {
    if (!master_ended) pass.wake_at(deadline);
    return;
  }
  std::string message = pass.masterless() ? "the workers" : "the master";
  message += " had not ended after activeDeadlineSeconds (" +
             to_human(std::chrono::seconds{pass.policy().active_deadline_seconds}) + ")";
  latch(pass, api::Verdict::Error, "ActiveDeadlineExceeded", std::move(message));
}

}  // namespace atq::core
