// Actions that fail. What the platform refuses for good ends the run; everything else is tried
// again by the engine, and the status says so until a deadline ends the waiting.

#include <algorithm>

#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

bool is_final(ErrorKind kind) {
  return kind == ErrorKind::Invalid || kind == ErrorKind::Forbidden || kind == ErrorKind::NotFound;
}

/// Reason of the verdict for a refused start; empty for actions that are no start.
std::string_view refusal_of(std::string_view action) {
  if (action == "BeginRun") return "BeginRunFailed";
  if (action == "EnsureWorkers") return "WorkersNotCreated";
  if (action == "EnsureChecks") return "ChecksNotCreated";
  if (action == "EnsureMaster") return "MasterNotCreated";
  if (action == "Release") return "MasterNotReleased";
  return {};
}

/// What failed but is no longer needed has had its effect after all.
bool is_planned(const Pass& pass, std::string_view action) {
  return std::any_of(pass.plan.actions.begin(), pass.plan.actions.end(),
                     [&](const Action& planned) { return name_of(planned) == action; });
}

}  // namespace

void heed_failure(Pass& pass) {
  const auto& failure = pass.world.failure;
  if (!failure || failure->run != pass.status.run.number) return;
  if (!is_planned(pass, failure->action)) return;
  const std::string_view refusal = refusal_of(failure->action);
  if (!refusal.empty() && is_final(failure->error.kind)) {
    latch(pass, api::Verdict::Error, refusal, failure->error.message);
    return;
  }
  std::string text = failure->action + " failed: " + failure->error.message;
  pass.blocked = pass.blocked.empty() ? std::move(text) : text + "; " + pass.blocked;
}

}  // namespace atq::core
