#pragma once
// The loop: takes what the store tells into the cache, hints of the runtimes and deadlines into the
// queue, and lets workers pass over the objects. The engine's thread.

#include <memory>
#include <vector>

#include "controller/engine/reconciler.hpp"
#include "controller/engine/state.hpp"

namespace atq::engine {

struct ControllerOptions {
  int max_concurrent_reconciles = 1;
  std::map<std::string, int> run_limits;  ///< runs at once, by name of the runtime
  int other_limit = 4;                    ///< of runtimes not named there; 0: no limit
};

class Controller final : public ports::StoreSink {
 public:
  Controller(const Surroundings& outside, const ControllerOptions& options);
  ~Controller() override;

  // StoreSink: called by Store::watch().
  void replace(std::vector<ports::StoredTest> all) override;
  void replace_begin() override;
  void replace_add(ports::StoredTest test) override;
  void replace_end() override;
  void upsert(ports::StoredTest test) override;
  void remove(const api::Key& key, const std::string& uid) override;
  void problems(std::vector<ports::SourceProblem> all) override;

  /// Reads what the runtimes know and takes their hints from now on. After Runtime::start().
  void adopt_runs();
  /// A runtime's hint that runs of `uid` have changed.
  void hint(const std::string& uid);

  /// The store has told the whole truth.
  bool synced() const noexcept { return synced_; }
  /// Returns once synced, or after abandon_sync() or halt() (look at synced()).
  Task<void> wait_synced();
  void abandon_sync();
  /// Starts the workers and the sweep of orphans. Once, after the sync.
  void start_workers();
  bool working() const noexcept { return working_; }
  /// Takes no new work, waits for the passes under way.
  Task<void> drain();
  /// Leadership is lost: no further port is called, whatever is under way.
  void halt();

  EngineState& state() noexcept { return state_; }
  const EngineState& state() const noexcept { return state_; }
  const std::vector<ports::SourceProblem>& source_problems() const noexcept { return problems_; }

 private:
  Task<void> work();
  Task<void> pass(WorkItem item);
  Task<void> sweep_orphans();
  void settle(const WorkItem& item, const Reconciler::Outcome& outcome);
  void take_in(const ports::StoredTest& test);
  bool is_stale(const ports::StoredTest& test);
  Metrics::Gauges gauges() const;

  ControllerOptions options_;
  EngineState state_;
  Reconciler reconciler_;
  TaskGroup tasks_;
  AsyncEvent sync_changed_;
  std::unique_ptr<ports::Clock::Timer> sweep_timer_;
  std::vector<ports::SourceProblem> problems_;
  uint64_t passes_ = 0;
  int active_ = 0;
  bool synced_ = false;
  bool working_ = false;
  bool stopping_ = false;
};

}  // namespace atq::engine
