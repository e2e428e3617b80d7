#pragma once
// One pass over one object: gather the world, let the core decide, carry out its actions, go on
// until nothing new is to be done, write the status once, then emit the events. Start-up actions
// are not held up by the write of the status: what a run was begun with is durable in its runtime,
// so a director that dies in between finds it there.

#include <optional>
#include <string>

#include "controller/engine/executor.hpp"
#include "controller/engine/metrics.hpp"
#include "controller/engine/state.hpp"

namespace atq::engine {

class Reconciler {
 public:
  explicit Reconciler(EngineState& state) : state_(state), executor_(state) {}

  struct Outcome {
    ReconcileResult result = ReconcileResult::Success;
    std::optional<Duration> requeue_after;  ///< with Requeue and Error: by back-off instead
  };
  /// Throws only what the core's or a port's programming errors throw.
  Task<Outcome> reconcile(WorkItem item, std::string id);

 private:
  enum class Step { GoOn, Settled, Superseded, Failed };
  /// State of the pass beside the subject.
  struct Pass {
    Subject subject;
    std::vector<api::Problem> problems;
    std::shared_ptr<const api::FrozenSpec> resolved;
    ports::Runtime* runtime = nullptr;  // for the next run; null: unknown name
    std::vector<core::Action> done;     // in this pass
    std::vector<core::Event> events;    // not emitted yet
    std::optional<Duration> requeue_after;
    std::optional<Error> error;
  };

  bool load(Pass& pass, const WorkItem& item);
  void resolve(Pass& pass) const;
  AsyncResult<core::World> gather(Pass& pass);
  Task<Step> step(Pass& pass);
  Task<Step> act(Pass& pass, core::World& world, core::Plan plan);
  Task<Step> write(Pass& pass);
  Task<Step> finish(Pass& pass, Step last);
  Task<void> reread(Subject& subject);
  bool is_superseded(const Subject& subject) const;
  void note_admission(const Pass& pass, const core::Plan& plan);
  void note_failure(Pass& pass, const core::Action& action, const Error& error);
  void note_written(Pass& pass, const std::string& version);
  void emit(Pass& pass);
  void leave(const Pass& pass);
  Outcome outcome_of(Pass& pass, Step last);

  EngineState& state_;
  Executor executor_;
};

}  // namespace atq::engine
