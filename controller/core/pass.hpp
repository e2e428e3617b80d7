#pragma once
// One pass of reconcile(): what is read, and the plan being made. The policies (policies.hpp) share
// it. Lives on the stack of reconcile(); one thread; keeps no state between passes.

#include <string>
#include <string_view>

#include "controller/core/plan.hpp"
#include "controller/core/world.hpp"

namespace atq::core {

/// Workers of the present run, counted once a pass (worker_loss.cpp).
struct WorkerTally {
  int desired = 0;
  int present = 0;     ///< have a trace
  int discovered = 0;  ///< have an address, and are not lost
  int ready = 0;       ///< ready or done with their part, and not lost
  int exited = 0;      ///< ended, lost or not
  int lost = 0;        ///< will do no work (any more)
  int alive = 0;       ///< inert, starting or running
  int inert = 0;
  int left() const { return desired - lost; }
};

struct Pass {
  Pass(const World& seen, TimePoint time, Plan& target);

  const World& world;
  const TimePoint now;
  Plan& plan;
  const api::LoadTest& test;
  const api::LoadTestStatus& stored;
  api::LoadTestStatus& status;  ///< plan.status: begins as a copy of `stored`

  const ObservedRun* run = nullptr;         ///< of status.run.number; null where nothing is seen
  const api::FrozenSpec* frozen = nullptr;  ///< of that run; null where unknown
  WorkerTally workers;
  /// When workers that ended by themselves count as lost; with the tally (worker_loss.cpp).
  std::optional<TimePoint> patience_ends;
  bool discovered = false;      ///< this run has passed Discovery (sticky: the condition)
  bool wants_next = false;      ///< one more run is asked for
  bool cleanup_is_due = false;  ///< the newest run is finished and about to be removed
  std::string_view holding;     ///< why the wanted run does not start: reason of Admitted
  std::string_view waiting;     ///< CamelCase: what the run is waiting for
  std::string blocked;          ///< the same for people: names workers, errors

  RunId id() const { return {test.metadata.uid, status.run.number}; }
  bool deleting() const { return test.metadata.deletion_timestamp.has_value(); }
  bool accepted() const { return world.problems.empty() && world.resolved != nullptr; }
  /// A run has begun and is not finished.
  bool active() const { return status.run.number > 0 && !status.run.finished_at; }
  /// The verdict was there before this pass.
  bool stored_is_latched() const {
    return stored.run.number == status.run.number && stored.run.collecting_at.has_value();
  }
  bool masterless() const { return frozen != nullptr && !frozen->spec.master; }
  /// Of the run where known, else of the spec.
  const api::RunPolicy& policy() const {
    return frozen != nullptr ? frozen->spec.run_policy : test.spec.run_policy;
  }

  void act(Action action) { plan.actions.push_back(std::move(action)); }
  void event(bool warning, std::string_view reason, std::string_view message);
  /// Asks for a pass at `at`, the earliest wish wins; what is past is "at once".
  void wake_at(TimePoint at);
  /// Puts what the runtime says of the whole run before `blocked`, where no worker says the same.
  void tell_problem();
  /// Points run and frozen at status.run.number.
  void find_run();
};

/// `seconds` after `from`, without overflow.
TimePoint after(TimePoint from, int64_t seconds) noexcept;

/// A request's value as the status keeps it: itself, or a mark of it where it is too long to keep.
std::string mark_of(std::string_view value);

/// Fit for a status: printable, at most `limit` bytes.
std::string tidy(std::string text, size_t limit);
inline constexpr size_t kMaxMessage = 400;

bool is_alive(const Replica& replica) noexcept;

/// Enters Collecting: the verdict of the run, for good. Does nothing where it is latched already.
void latch(Pass& pass, api::Verdict verdict, std::string_view reason, std::string message);

}  // namespace atq::core
