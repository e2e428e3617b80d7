#pragma once
// What reconcile() decides. Actions are idempotent, carried out in their order, and stop at the
// first that fails; their results are seen only through the next observation. Until that shows the
// effect, the same actions are planned again: carry an unchanged plan out again only after a
// failure or a change of the observation, not in a loop.

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controller/core/world.hpp"

namespace atq::core {

/// Freezes the spec of a new run with the runtime (its record outlives the director) and makes the
/// run's network. Nothing else of a run exists before it.
struct BeginRun {
  RunId run;
  std::shared_ptr<const api::FrozenSpec> frozen;
  bool operator==(const BeginRun&) const = default;
};
/// Creates what is missing of the workers (a masterless run: inert) under deterministic names.
/// Never a second time for an index that has a trace.
struct EnsureWorkers {
  RunId run;
  bool operator==(const EnsureWorkers&) const = default;
};
struct EnsureChecks {
  RunId run;
  bool operator==(const EnsureChecks&) const = default;
};
/// Creates the master inert.
struct EnsureMaster {
  RunId run;
  bool operator==(const EnsureMaster&) const = default;
};
/// Lets an inert role go, once: conditional on `version`, after a live read of the LoadTest by the
/// executor.
struct Release {
  RunId run;
  Role role = Role::Master;
  std::string version;
  bool operator==(const Release&) const = default;
};
/// The checks are over; their prober ends.
struct StopChecks {
  RunId run;
  bool operator==(const StopChecks&) const = default;
};
enum class StopMode { Graceful, Now };
/// Ends a role: the tool's own way, TERM, `grace`, KILL; Now: KILL. Asked again it does not begin
/// the grace anew. What is inert can never be released any more and becomes Exited or Absent.
struct Stop {
  RunId run;
  Role role = Role::Worker;
  StopMode mode = StopMode::Graceful;
  Duration grace{};
  bool operator==(const Stop&) const = default;
};
/// Reads what the ended roles left (statement, logs) so that the next observation has it.
struct Collect {
  RunId run;
  bool operator==(const Collect&) const = default;
};
/// Removes a run from the runtime, processes and files.
struct RemoveRun {
  RunId run;
  bool operator==(const RemoveRun&) const = default;
};
/// The object may go: nothing of it is left on the runtime.
struct Finalize {
  bool operator==(const Finalize&) const = default;
};

using Action = std::variant<BeginRun, EnsureWorkers, EnsureChecks, EnsureMaster, Release,
                            StopChecks, Stop, Collect, RemoveRun, Finalize>;

/// "EnsureWorkers", for logs, metrics and ActionFailure::action.
std::string_view name_of(const Action& action) noexcept;

struct Event {
  bool warning = false;
  std::string reason;  ///< CamelCase
  std::string message;
  bool operator==(const Event&) const = default;
};

struct Plan {
  std::vector<Action> actions;
  api::LoadTestStatus status;  ///< whole, to be written if it differs from the stored one
  std::vector<Event> events;   ///< emitted after the status write
  std::optional<Duration> requeue_after;  ///< the next deadline or delay; nothing else is polled
  bool wants_admission = false;           ///< it would start a run if the ticket were granted
  bool holds_admission = false;           ///< a run of it counts against the limit
  bool operator==(const Plan&) const = default;
};

}  // namespace atq::core
