// The status: numbers of the present run, what it waits for, and the phase. Written in place over a
// copy of the stored one, so that what has not changed stays the same to the byte.

#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

void fill_addresses(Pass& pass) {
  auto& addresses = pass.status.workers.addresses;
  size_t count = 0;
  for (const Replica& worker : pass.run->workers) {
    if (worker.address.empty() || is_lost(pass, worker)) continue;
    if (count == api::kMaxAddresses) break;
    if (count < addresses.size()) {
      addresses[count] = worker.address;
    } else {
      addresses.push_back(worker.address);
    }
    ++count;
  }
  addresses.resize(count);
}

/// Counts stand still once the verdict is latched: afterwards workers end because they are told to.
void fill_workers(Pass& pass) {
  const bool counted = pass.workers.desired > 0;
  if (!pass.active() || pass.stored_is_latched() || !counted) return;
  api::WorkersStatus& workers = pass.status.workers;
  workers.desired = pass.workers.desired;
  if (pass.run == nullptr) return;
  workers.discovered = pass.workers.discovered;
  workers.ready = pass.workers.ready;
  workers.lost = pass.workers.lost;
  fill_addresses(pass);
}

void fill_progress(Pass& pass) {
  api::LoadTestStatus& status = pass.status;
  if (status.run.number > 0 && status.verdict != api::Verdict::None) return;  // latched
  status.reason = pass.active() ? pass.waiting : pass.holding;
  status.message = tidy(std::move(pass.blocked), kMaxMessage);
}

}  // namespace

void fill_status(Pass& pass) {
  api::LoadTestStatus& status = pass.status;
  status.observed_generation = pass.test.metadata.generation;
  fill_workers(pass);
  if (pass.run != nullptr && pass.run->start_skew_microseconds) {
    status.start_skew_microseconds = pass.run->start_skew_microseconds;
  }
  fill_conditions(pass);
  fill_progress(pass);
  status.phase = phase_of(status);
}

}  // namespace atq::core
