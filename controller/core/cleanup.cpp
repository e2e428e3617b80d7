// What of finished runs is removed from the runtime, and when; the LoadTest and its history stay.

#include <algorithm>

#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

struct Ended {
  api::Verdict verdict = api::Verdict::None;
  std::optional<TimePoint> at;  ///< unknown where the history has been lost
};

Ended end_of(const Pass& pass, int64_t number) {
  const api::LoadTestStatus& stored = pass.stored;
  if (number == stored.run.number) return {stored.verdict, stored.run.finished_at};
  for (const api::HistoryEntry& entry : stored.history) {
    if (entry.number == number) return {entry.verdict, entry.finished_at};
  }
  return {};
}

/// When the run is to be removed; nullopt: it is kept.
std::optional<TimePoint> removal_of(const Pass& pass, int64_t number, int newer) {
  if (newer >= static_cast<int>(api::kMaxHistory)) return pass.now;
  const Ended ended = end_of(pass, number);
  const bool newest = number == pass.stored.run.number && pass.frozen != nullptr;
  const api::RunPolicy& policy = newest ? pass.frozen->spec.run_policy : pass.test.spec.run_policy;
  switch (policy.cleanup_policy) {
    case api::CleanupPolicy::Never:
      return std::nullopt;
    case api::CleanupPolicy::OnSuccess:
      if (ended.verdict != api::Verdict::Passed) return std::nullopt;
      break;
    case api::CleanupPolicy::Always:
      break;
  }
  return after(ended.at.value_or(pass.now), policy.cleanup_after_seconds);
}

/// Load never outlives its run, whoever started it (a leader that was frozen and woke, say).
void end_stragglers(Pass& pass, const ObservedRun& run) {
  const RunId id{pass.test.metadata.uid, run.number};
  if (run.master && is_alive(*run.master)) {
    pass.act(Stop{.run = id, .role = Role::Master, .mode = StopMode::Now});
  }
  if (std::any_of(run.workers.begin(), run.workers.end(), is_alive)) {
    pass.act(Stop{.run = id, .role = Role::Worker, .mode = StopMode::Now});
  }
  if (run.checks_exist) pass.act(StopChecks{id});
}

/// Only what is durably finished is over: its status must not be computed from what is removed.
bool is_over(const Pass& pass, const ObservedRun& run) {
  if (run.number != pass.status.run.number) return run.number < pass.status.run.number;
  return run.number == pass.stored.run.number && pass.stored.run.finished_at.has_value();
}

}  // namespace

void clean_up(Pass& pass) {
  const auto& runs = pass.world.observed;
  // A removal that keeps failing must not keep the others from theirs.
  const auto& failure = pass.world.failure;
  const bool turn = failure && failure->action == "RemoveRun" && failure->attempts % 2 == 1;
  std::vector<RunId> removals;
  int newer = 0;
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    if (!is_over(pass, *run)) continue;
    const auto due = removal_of(pass, run->number, newer++);
    if (due && *due <= pass.now) {
      removals.push_back({pass.test.metadata.uid, run->number});
    } else {
      end_stragglers(pass, *run);
      if (due) pass.wake_at(*due);
    }
  }
  if (turn) std::reverse(removals.begin(), removals.end());
  for (RunId& id : removals) pass.act(RemoveRun{std::move(id)});
}

bool is_cleanup_due(const Pass& pass) {
  if (pass.run == nullptr || !is_over(pass, *pass.run)) return false;
  const auto due = removal_of(pass, pass.run->number, 0);
  if (!due || *due > pass.now) return false;
  // A run that cannot be removed holds the next one up for a bounded time only.
  return pass.now < after(*due, pass.policy().collect_deadline_seconds);
}

}  // namespace atq::core
