// HealthCheck: every check passes against every worker that is not lost, then delaySeconds go by.
// The master is made by then, inert, so that its release is one write.

#include "controller/core/describe.hpp"
#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

const Replica* worker_of(const Pass& pass, int index) {
  const auto& workers = pass.run->workers;
  const auto at = static_cast<size_t>(index);
  if (index >= 0 && at < workers.size() && workers[at].index == index) return &workers[at];
  for (const Replica& worker : workers) {
    if (worker.index == index) return &worker;
  }
  return nullptr;
}

bool all_passed(const Pass& pass) {
  const size_t checks = pass.frozen->spec.health_check.checks.size();
  size_t passed = 0;
  for (const CheckResult& result : pass.run->checks) {
    if (!result.passed) continue;
    const Replica* worker = worker_of(pass, result.worker);
    if (worker != nullptr && !is_lost(pass, *worker)) ++passed;
  }
  return passed >= checks * static_cast<size_t>(pass.workers.left());
}

std::string tell(const CheckResult& result) {
  std::string text = result.name + ": ";
  if (result.tries == 0) {  // or the platform tries, and does not say how often
    return text + (result.last_error.empty() ? "not tried yet" : result.last_error);
  }
  text += result.last_error.empty() ? "not often enough in a row yet" : result.last_error;
  return text + " (" + (result.tries == 1 ? "1 try)" : std::to_string(result.tries) + " tries)");
}

void tell_failing(Pass& pass) {
  WorkerList list;
  std::vector<bool> told(pass.run->workers.size(), false);
  for (const CheckResult& result : pass.run->checks) {
    if (result.passed) continue;
    const Replica* worker = worker_of(pass, result.worker);
    if (worker == nullptr || is_lost(pass, *worker)) continue;
    const auto place = static_cast<size_t>(worker - pass.run->workers.data());
    if (told[place]) continue;
    told[place] = true;
    list.add(result.worker, [&] { return tell(result); });
  }
  pass.blocked = list.take();
  if (pass.blocked.empty()) pass.blocked = "the checks have not reported yet";
}

bool await_checks(Pass& pass) {
  api::RunStatus& run = pass.status.run;
  if (run.checks_passed_at) return true;
  if (pass.frozen->spec.health_check.checks.empty() || all_passed(pass)) {
    run.checks_passed_at = pass.now;
    return true;
  }
  if (!pass.run->checks_exist) pass.act(EnsureChecks{pass.id()});
  pass.waiting = "HealthChecksRunning";
  tell_failing(pass);
  return false;
}

}  // namespace

void ensure_master(Pass& pass) {
  if (pass.masterless()) return;
  const auto& master = pass.run->master;
  if (!master || master->state == ReplicaState::Absent) pass.act(EnsureMaster{pass.id()});
}

bool await_health(Pass& pass) {
  ensure_master(pass);
  if (!await_checks(pass)) return false;
  const TimePoint due =
      after(*pass.status.run.checks_passed_at, pass.frozen->spec.health_check.delay_seconds);
  if (pass.now >= due) return true;
  pass.waiting = "Delaying";
  pass.blocked = "healthCheck.delaySeconds go by";
  if (pass.run->checks_exist) pass.act(StopChecks{pass.id()});
  pass.wake_at(due);
  return false;
}

}  // namespace atq::core
