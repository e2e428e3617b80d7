// All thirteen conditions, refreshed at each pass, and the phase, which is a reading of them.
// lastTransitionTime moves only when a status flips.

#include "controller/core/describe.hpp"
#include "controller/core/policies.hpp"
#include "src/base/text.hpp"

namespace atq::core {
namespace {

using api::ConditionStatus;
using api::ConditionType;

constexpr size_t kMaxConditionMessage = 160;

size_t index_of(ConditionType type) { return static_cast<size_t>(type); }

bool in_order(const std::vector<api::Condition>& conditions) {
  if (conditions.size() != api::kConditionCount) return false;
  for (size_t i = 0; i < conditions.size(); ++i) {
    if (index_of(conditions[i].type) != i) return false;
  }
  return true;
}

/// All thirteen in their order; those that were there are kept.
void complete(Pass& pass) {
  auto& conditions = pass.status.conditions;
  if (in_order(conditions)) return;
  std::vector<api::Condition> all(api::kConditionCount);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].type = static_cast<ConditionType>(i);
    all[i].last_transition_time = pass.now;
  }
  for (api::Condition& known : conditions) all[index_of(known.type)] = std::move(known);
  conditions = std::move(all);
}

const api::Condition& get(const Pass& pass, ConditionType type) {
  return pass.status.conditions[index_of(type)];
}

void set(Pass& pass, ConditionType type, ConditionStatus value, std::string_view reason,
         std::string_view message = {}) {
  api::Condition& condition = pass.status.conditions[index_of(type)];
  condition.observed_generation = pass.test.metadata.generation;
  if (condition.status != value) {
    condition.status = value;
    condition.last_transition_time = pass.now;
  }
  if (condition.reason != reason) condition.reason = reason;
  if (message.size() > kMaxConditionMessage) {
    condition.message = truncate(message, kMaxConditionMessage);
  } else if (condition.message != message) {
    condition.message = message;
  }
}

void keep(Pass& pass, ConditionType type) {
  pass.status.conditions[index_of(type)].observed_generation = pass.test.metadata.generation;
}

std::string tell_problems(const Pass& pass) {
  const auto& problems = pass.world.problems;
  if (problems.empty()) return "the spec could not be resolved";
  std::string text = tidy(api::to_string(problems.front()), kMaxConditionMessage - 20);
  if (problems.size() > 1) text += "; and " + std::to_string(problems.size() - 1) + " more";
  return text;
}

void set_accepted(Pass& pass) {
  if (pass.accepted()) {
    set(pass, ConditionType::Accepted, ConditionStatus::True, "Valid");
    set(pass, ConditionType::Stalled, ConditionStatus::False, "Valid");
    return;
  }
  const std::string message = tell_problems(pass);
  set(pass, ConditionType::Accepted, ConditionStatus::False, "Invalid", message);
  set(pass, ConditionType::Stalled, ConditionStatus::True, "Invalid", message);
}

std::string ordinal(int number) {
  const int tens = number % 100;
  std::string_view suffix = "th";
  if (tens < 11 || tens > 13) {
    if (number % 10 == 1) suffix = "st";
    if (number % 10 == 2) suffix = "nd";
    if (number % 10 == 3) suffix = "rd";
  }
  std::string text = std::to_string(number);
  text += suffix;
  return text;
}

/// "2nd in the queue: 4 of 4 runs active on process"
std::string tell_queue(const Pass& pass) {
  const AdmissionTicket& ticket = pass.world.admission;
  std::string text = ticket.position > 0 ? ordinal(ticket.position) + " in the queue"
                                         : std::string("waiting for a place");
  if (ticket.limit > 0) {
    text +=
        ": " + std::to_string(ticket.running) + " of " + count_of(ticket.limit, "run") + " active";
    const std::string& runtime = pass.world.capabilities.runtime_name;
    if (!runtime.empty()) text += " on " + runtime;
  }
  return text;
}

/// Whether the wanted run waits visibly, and not just for the end of the last one to be written.
bool is_held(const Pass& pass) {
  return pass.wants_next && !pass.holding.empty() && pass.holding != "LastRunEnding" &&
         pass.holding != "CleaningUp";
}

std::string tell_holding(const Pass& pass) {
  if (pass.holding == "Queued") return tell_queue(pass);
  if (pass.holding == "LastRunAlive") {
    return "processes of run " + std::to_string(pass.status.run.number) +
           " or an earlier one have not ended, although they were killed";
  }
  if (pass.holding == "Suspended") return "runPolicy.suspend holds the start of the next run";
  return tell_problems(pass);
}

void set_admitted(Pass& pass) {
  if (!is_held(pass)) {
    if (pass.status.run.number > 0) {
      set(pass, ConditionType::Admitted, ConditionStatus::True, "Admitted");
    } else {
      set(pass, ConditionType::Admitted, ConditionStatus::Unknown, "NotAsked");
    }
    return;
  }
  std::string message = tell_holding(pass);
  set(pass, ConditionType::Admitted, ConditionStatus::False, pass.holding, message);
  if (pass.blocked.empty()) pass.blocked = std::move(message);
}

/// A milestone of the run: True once passed, False with what is waited for.
void set_milestone(Pass& pass, ConditionType type, bool passed, std::string_view reason,
                   bool& reached) {
  if (passed) {
    set(pass, type, ConditionStatus::True, reason);
  } else if (reached && !pass.status.run.collecting_at) {
    set(pass, type, ConditionStatus::False,
        pass.waiting.empty() ? std::string_view("InProgress") : pass.waiting);
  } else {
    set(pass, type, ConditionStatus::False, "NotReached");
  }
  reached = reached && passed;
}

void set_milestones(Pass& pass) {
  const api::RunStatus& run = pass.status.run;
  const bool has_checks = pass.frozen != nullptr && !pass.frozen->spec.health_check.checks.empty();
  bool reached = true;
  set_milestone(pass, ConditionType::Discovered, pass.discovered, "AddressesKnown", reached);
  set_milestone(pass, ConditionType::WorkersReady, run.workers_ready_at.has_value(),
                "AllWorkersReady", reached);
  set_milestone(pass, ConditionType::HealthChecked, run.checks_passed_at.has_value(),
                has_checks ? "ChecksPassed" : "NoChecks", reached);
  set_milestone(pass, ConditionType::MasterStarted, run.master_started_at.has_value(), "Released",
                reached);
}

void set_results(Pass& pass) {
  constexpr auto kType = ConditionType::ResultsCollected;
  const api::RunStatus& run = pass.status.run;
  if (!run.collecting_at) {
    set(pass, kType, ConditionStatus::Unknown, "RunNotEnded");
  } else if (pass.run != nullptr && pass.run->results_collected) {
    set(pass, kType, ConditionStatus::True, "Collected");
  } else if (!run.finished_at) {
    set(pass, kType, ConditionStatus::False, "Collecting");
  } else if (pass.run == nullptr) {
    set(pass, kType, ConditionStatus::False, "NothingToCollect");
  } else {
    set(pass, kType, ConditionStatus::False, "CollectDeadlineExceeded",
        "collectDeadlineSeconds were over: logs and results may be incomplete");
  }
}

void set_thresholds(Pass& pass) {
  constexpr auto kType = ConditionType::ThresholdsMet;
  if (!pass.status.run.collecting_at) {
    set(pass, kType, ConditionStatus::Unknown, "RunNotEnded");
    return;
  }
  int failed = 0;
  int unjudged = 0;
  for (const api::ThresholdStatus& threshold : pass.status.thresholds) {
    if (threshold.verdict == api::ThresholdVerdict::Fail) ++failed;
    if (threshold.verdict == api::ThresholdVerdict::NoData) ++unjudged;
  }
  if (failed > 0) {
    set(pass, kType, ConditionStatus::False, "Failed", count_of(failed, "threshold") + " failed");
  } else if (unjudged > 0) {
    set(pass, kType, ConditionStatus::Unknown, "NotJudged",
        count_of(unjudged, "threshold") + " could not be judged");
  } else if (pass.status.thresholds.empty()) {
    const bool none = pass.frozen == nullptr || pass.frozen->spec.thresholds.empty();
    set(pass, kType, none ? ConditionStatus::True : ConditionStatus::Unknown,
        none ? "NoThresholds" : "NotJudged");
  } else {
    set(pass, kType, ConditionStatus::True, "Met");
  }
}

/// Comparing costs an encoded spec, so it is done only where the generation or the run has changed.
void set_up_to_date(Pass& pass) {
  constexpr auto kType = ConditionType::UpToDate;
  const api::RunStatus& run = pass.status.run;
  if (run.number == 0) return set(pass, kType, ConditionStatus::Unknown, "NoRun");
  if (!pass.accepted()) return set(pass, kType, ConditionStatus::Unknown, "NotAccepted");
  const api::Condition& known = get(pass, kType);
  const bool compared = known.status != ConditionStatus::Unknown &&
                        known.observed_generation == pass.test.metadata.generation &&
                        pass.stored.run.number == run.number &&
                        pass.stored.run.spec_hash == run.spec_hash;
  if (compared) return;
  if (run.spec_hash == api::spec_hash(pass.world.resolved->spec)) {
    set(pass, kType, ConditionStatus::True, "SpecUnchanged");
  } else {
    set(pass, kType, ConditionStatus::False, "SpecChanged",
        "the spec has changed since the run began; a new runNonce makes a run of it");
  }
}

void set_finished(Pass& pass) {
  constexpr auto kType = ConditionType::Finished;
  const api::RunStatus& run = pass.status.run;
  if (is_held(pass)) return set(pass, kType, ConditionStatus::False, pass.holding);
  if (run.number == 0) return set(pass, kType, ConditionStatus::False, "NotStarted");
  if (!run.finished_at) {
    return set(pass, kType, ConditionStatus::False, run.collecting_at ? "Collecting" : "Running");
  }
  set(pass, kType, ConditionStatus::True, api::to_string(pass.status.verdict), pass.status.message);
}

/// For kstatus: Reconciling while there is something to do, Ready when there is nothing left.
void set_ready(Pass& pass) {
  std::string_view reason = "Idle";
  bool busy = true;
  if (pass.deleting()) {
    reason = "Deleting";
  } else if (pass.active()) {
    reason = "RunInProgress";
  } else if (pass.holding == "Queued" || pass.holding == "CleaningUp" ||
             pass.holding == "LastRunEnding" || pass.holding == "LastRunAlive") {
    reason = pass.holding;
  } else {
    busy = false;
    if (pass.holding == "Suspended") reason = pass.holding;
  }
  std::string trouble;
  const auto& failure = pass.world.failure;
  if (failure && (pass.deleting() || !pass.active())) {
    trouble = tidy(failure->action + " failed: " + failure->error.message, kMaxConditionMessage);
  }
  set(pass, ConditionType::Reconciling, busy ? ConditionStatus::True : ConditionStatus::False,
      reason, trouble);
  const bool ready = !busy && pass.accepted();
  set(pass, ConditionType::Ready, ready ? ConditionStatus::True : ConditionStatus::False,
      pass.accepted() || busy ? reason : std::string_view("Invalid"), trouble);
}

}  // namespace

bool holds(const api::LoadTestStatus& status, ConditionType type) noexcept {
  const size_t at = index_of(type);
  if (at < status.conditions.size() && status.conditions[at].type == type) {
    return status.conditions[at].status == ConditionStatus::True;
  }
  for (const api::Condition& condition : status.conditions) {
    if (condition.type == type) return condition.status == ConditionStatus::True;
  }
  return false;
}

void fill_conditions(Pass& pass) {
  complete(pass);
  set_accepted(pass);
  set_admitted(pass);
  const bool over = pass.stored.run.finished_at && pass.stored.run.number == pass.status.run.number;
  if (pass.status.run.number == 0) {
    for (const auto type : {ConditionType::Discovered, ConditionType::WorkersReady,
                            ConditionType::HealthChecked, ConditionType::MasterStarted,
                            ConditionType::ResultsCollected, ConditionType::ThresholdsMet}) {
      set(pass, type, ConditionStatus::Unknown, "NoRun");
    }
  } else if (over) {
    for (const auto type : {ConditionType::Discovered, ConditionType::WorkersReady,
                            ConditionType::HealthChecked, ConditionType::MasterStarted,
                            ConditionType::ResultsCollected, ConditionType::ThresholdsMet}) {
      keep(pass, type);
    }
  } else {
    set_milestones(pass);
    set_results(pass);
    set_thresholds(pass);
  }
  set_up_to_date(pass);
  set_finished(pass);
  set_ready(pass);
}

api::Phase phase_of(const api::LoadTestStatus& status) noexcept {
  if (status.conditions.size() != api::kConditionCount) return api::Phase::Pending;
  if (holds(status, ConditionType::Finished)) return api::Phase::Finished;
  const api::Condition& admitted = status.conditions[index_of(ConditionType::Admitted)];
  if (admitted.status != ConditionStatus::True) {
    if (admitted.reason == "Suspended") return api::Phase::Suspended;
    return admitted.reason == "Queued" ? api::Phase::Queued : api::Phase::Pending;
  }
  const api::Condition& results = status.conditions[index_of(ConditionType::ResultsCollected)];
  if (results.status != ConditionStatus::Unknown) return api::Phase::Collecting;
  if (holds(status, ConditionType::MasterStarted)) return api::Phase::Master;
  if (holds(status, ConditionType::WorkersReady)) return api::Phase::HealthCheck;
  if (holds(status, ConditionType::Discovered)) return api::Phase::Workers;
  return api::Phase::Discovery;
}

}  // namespace atq::core
