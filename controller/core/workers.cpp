// Workers: every worker that is not lost runs and is ready. In a masterless run they are created
// inert, and inert is ready: they start together when they are released.

#include "controller/core/describe.hpp"
#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

bool is_ready(const Pass& pass, const Replica& worker) {
  if (worker.state == ReplicaState::Running) return worker.ready;
  return worker.state == ReplicaState::Inert && pass.masterless();
}

}  // namespace

bool await_workers(Pass& pass) {
  if (pass.status.run.workers_ready_at) return true;
  if (pass.workers.left() > 0 && pass.workers.ready >= pass.workers.left()) {
    pass.status.run.workers_ready_at = pass.now;
    return true;
  }
  // A worker lost from here on ends the run, so the master's list of workers stays true.
  if (pass.frozen->spec.worker.on_failure == api::OnFailure::Fail) ensure_master(pass);
  pass.waiting = "WorkersNotReady";
  WorkerList list;
  for (const Replica& worker : pass.run->workers) {
    if (is_ready(pass, worker) || is_lost(pass, worker)) continue;
    list.add(worker.index, [&] { return describe_state(worker); });
  }
  pass.blocked = list.take();
  pass.tell_problem();
  return false;
}

}  // namespace atq::core
