// Discovery: the run is begun (its frozen spec durable before anything of it exists), its network
// stands, and every worker has an address.

#include <algorithm>

#include "controller/core/describe.hpp"
#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

/// The frozen spec of a run that was begun, else what it will be frozen from.
std::shared_ptr<const api::FrozenSpec> spec_to_freeze(const Pass& pass) {
  const bool begun = pass.run != nullptr && pass.world.run != nullptr;
  return begun ? pass.world.run : pass.world.resolved;
}

void begin_run(Pass& pass) {
  auto frozen = spec_to_freeze(pass);
  // The spec may have been edited since the run was opened; what is frozen now is what counts.
  const bool edited =
      pass.run == nullptr && pass.stored.observed_generation != pass.test.metadata.generation;
  if (edited || pass.status.run.spec_hash.empty()) {
    pass.status.run.spec_hash = api::spec_hash(frozen->spec);
    if (pass.run == nullptr) pass.status.run.nonce = mark_of(frozen->spec.run_nonce);
  }
  pass.act(BeginRun{.run = pass.id(), .frozen = std::move(frozen)});
}

bool misses_workers(const Pass& pass) { return pass.workers.present < pass.workers.desired; }

void tell_undiscovered(Pass& pass) {
  if (pass.run == nullptr) {
    pass.blocked = "waiting for the run's network";
    return;
  }
  if (!pass.run->network_ready) {
    pass.blocked = "waiting for the run's network";
    if (!pass.run->problem.empty()) pass.blocked += ": " + pass.run->problem;
    return;
  }
  WorkerList list;
  for (const Replica& worker : pass.run->workers) {
    if (!worker.address.empty() || is_lost(pass, worker)) continue;
    list.add(worker.index, [&] {
      const bool told = worker.state == ReplicaState::Absent || !worker.not_ready_because.empty();
      return told ? describe_state(worker) : std::string("no address yet");
    });
  }
  pass.blocked = list.take();
  if (pass.blocked.empty()) {
    pass.blocked =
        count_of(pass.workers.desired - pass.workers.present, "worker") + " not created yet";
  }
  pass.tell_problem();
}

}  // namespace

bool discover(Pass& pass) {
  const bool network = pass.run != nullptr && pass.run->network_ready;
  if (pass.discovered) return true;
  if (!network) begin_run(pass);
  if (misses_workers(pass)) pass.act(EnsureWorkers{pass.id()});
  pass.discovered = network && !misses_workers(pass) && pass.workers.left() > 0 &&
                    pass.workers.discovered >= pass.workers.left();
  if (pass.discovered) return true;
  pass.waiting = network ? "WaitingForAddresses" : "WaitingForNetwork";
  tell_undiscovered(pass);
  return false;
}

}  // namespace atq::core
