// Events for people: each transition once, told by comparing the status with the stored one.

#include "controller/core/describe.hpp"
#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

using Milestone = std::optional<TimePoint> api::RunStatus::*;

/// Passed in this very pass.
bool is_new(const Pass& pass, Milestone milestone) {
  if (!(pass.status.run.*milestone)) return false;
  return pass.stored.run.number != pass.status.run.number || !(pass.stored.run.*milestone);
}

std::string run_name(const Pass& pass) { return "run " + std::to_string(pass.status.run.number); }

void tell_milestones(Pass& pass) {
  if (pass.status.run.number != pass.stored.run.number) {
    pass.event(false, "RunStarted", run_name(pass) + " has started");
  }
  if (is_new(pass, &api::RunStatus::workers_ready_at)) {
    pass.event(false, "WorkersReady", count_of(pass.status.workers.ready, "worker") + " ready");
  }
  if (is_new(pass, &api::RunStatus::checks_passed_at) && pass.frozen != nullptr &&
      !pass.frozen->spec.health_check.checks.empty()) {
    pass.event(false, "HealthCheckPassed", "all health checks passed");
  }
  if (is_new(pass, &api::RunStatus::master_started_at)) {
    pass.event(false, "MasterStarted",
               pass.masterless() ? "the workers are released" : "the master is released");
  }
}

/// A loss that the run survives (onFailure: Ignore).
void tell_losses(Pass& pass) {
  const bool same_run = pass.stored.run.number == pass.status.run.number;
  const int before = same_run ? pass.stored.workers.lost : 0;
  if (pass.status.workers.lost <= before || pass.run == nullptr || pass.status.run.collecting_at) {
    return;
  }
  WorkerList list;
  for (const Replica& worker : pass.run->workers) {
    if (is_lost(pass, worker)) list.add(worker.index, [&] { return describe_state(worker); });
  }
  pass.event(true, "WorkerLost", tidy("the run goes on without " + list.take(), kMaxMessage));
}

void tell_end(Pass& pass) {
  const api::LoadTestStatus& status = pass.status;
  if (is_new(pass, &api::RunStatus::collecting_at) &&
      (status.verdict == api::Verdict::Error || status.verdict == api::Verdict::Aborted)) {
    pass.event(true, status.reason, status.message);
  }
  if (!is_new(pass, &api::RunStatus::finished_at)) return;
  std::string message = run_name(pass) + ": ";
  message += api::to_string(status.verdict);
  if (!status.message.empty()) message += ": " + status.message;
  pass.event(status.verdict != api::Verdict::Passed, "RunFinished", message);
}

void tell_admission(Pass& pass) {
  const auto find = [](const api::LoadTestStatus& status, api::ConditionType type) {
    return api::find_condition(status, type);
  };
  const auto* accepted = find(pass.status, api::ConditionType::Accepted);
  const auto* accepted_before = find(pass.stored, api::ConditionType::Accepted);
  if (accepted->status == api::ConditionStatus::False &&
      (accepted_before == nullptr || accepted_before->status != accepted->status ||
       accepted_before->message != accepted->message)) {
    pass.event(true, "NotAccepted", accepted->message);
  }
  if (!pass.wants_next || (pass.holding != "Queued" && pass.holding != "Suspended")) return;
  const auto* before = find(pass.stored, api::ConditionType::Admitted);
  if (before != nullptr && before->reason == pass.holding) return;
  pass.event(false, pass.holding, find(pass.status, api::ConditionType::Admitted)->message);
}

}  // namespace

void emit_events(Pass& pass) {
  tell_admission(pass);
  tell_milestones(pass);
  tell_losses(pass);
  tell_end(pass);
}

}  // namespace atq::core
