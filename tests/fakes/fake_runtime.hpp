#pragma once
// An honest Runtime in memory. Replicas start, become ready and pass their checks by themselves
// unless the options say otherwise; the test makes them exit. It outlives a director: start() again
// is a restart, after which releases under an older version fail.

#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "controller/engine/async_event.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/runtime.hpp"

namespace atq::fakes {

struct FakeRuntimeOptions {
  bool network_at_once = true;
  bool ready_at_once = true;        ///< a worker is ready when it runs
  bool checks_pass_at_once = true;  ///< checks pass when they begin
  bool obeys_stop = true;           ///< a graceful stop ends a role at once, with 143
  bool garbage_collection = false;
};

class FakeRuntime final : public ports::Runtime {
 public:
  FakeRuntime(boost::asio::io_context& io, const ports::Clock& clock,
              FakeRuntimeOptions options = {});

  std::string name() const override { return "fake"; }
  core::Capabilities capabilities() const override;
  AsyncResult<void> start() override;
  Task<void> stop() override;
  void on_change(std::function<void(const std::string& uid)> callback) override;
  AsyncResult<std::vector<core::ObservedRun>> observe(const std::string& uid) override;
  std::vector<ports::KnownRun> known_runs() override;
  AsyncResult<void> begin(const ports::RunStart& start) override;
  AsyncResult<void> ensure_workers(const core::RunId& run) override;
  AsyncResult<void> ensure_checks(const core::RunId& run) override;
  AsyncResult<void> ensure_master(const core::RunId& run) override;
  AsyncResult<void> release(const core::RunId& run, core::Role role,
                            const std::string& version) override;
  AsyncResult<void> stop_checks(const core::RunId& run) override;
  AsyncResult<void> stop_role(const core::RunId& run, core::Role role, core::StopMode mode,
                              Duration grace) override;
  AsyncResult<void> collect(const core::RunId& run) override;
  AsyncResult<void> remove(const core::RunId& run) override;
  AsyncResult<void> logs(const core::RunId& run, const ports::LogOptions& options,
                         LogWriter write) override;

  // ---- the world's side ---------------------------------------------------------------------
  void set_network_ready(const core::RunId& run, bool ready);
  void set_ready(const core::RunId& run, int worker, bool ready, std::string because = {});
  void pass_checks(const core::RunId& run);
  void exit_worker(const core::RunId& run, int worker, int code);
  void exit_master(const core::RunId& run, int code);
  void set_statement(const core::RunId& run, core::Statement statement);
  void set_log(const core::RunId& run, core::Role role, int index, std::string text);
  /// A spurious hint, as the port allows.
  void hint(const std::string& uid);

  /// nullptr where the run is not known.
  const core::ObservedRun* find(const core::RunId& run) const;
  const std::vector<ports::RunFile>* files(const core::RunId& run) const;
  /// Runs with a worker or master that makes, or may make, load.
  int active_runs() const;
  int most_active_runs() const noexcept { return most_active_; }
  /// How often a replica was started; "more than once" never happens.
  int starts(const core::RunId& run, core::Role role, int index) const;

  // ---- faults and counts --------------------------------------------------------------------
  void fail_next(const std::string& call, Error error, int times = 1);
  void lose_answer(const std::string& call, Error error);
  /// The next call of `call` returns only after unhang().
  void hang_next(const std::string& call);
  void unhang();
  int calls(const std::string& call) const;
  /// Names of calls that change something, in their order.
  const std::vector<std::string>& log() const noexcept { return log_; }

 private:
  struct Run {
    api::Key key;
    std::shared_ptr<const api::FrozenSpec> frozen;
    std::vector<ports::RunFile> files;
    core::ObservedRun seen;
    uint64_t version = 1;
    std::map<std::pair<core::Role, int>, std::string> logs;
  };
  struct Fault {
    Error error;
    int times = 0;
    bool after = false;
  };

  AsyncResult<Run*> enter(std::string call, core::RunId run);
  Result<void> leave(const std::string& call, const std::string& uid);
  Result<void> due_fault(const std::string& call, bool after);
  void start_replica(const core::RunId& id, Run& run, core::Role role, core::Replica& replica);
  void end_replica(core::Replica& replica, int code);
  void stop_replica(core::Replica& replica, core::StopMode mode);
  void bump(Run& run);
  void changed(const std::string& uid);
  void note_activity();
  Run& at(const core::RunId& run) { return runs_.at(run); }

  boost::asio::io_context& io_;
  const ports::Clock& clock_;
  FakeRuntimeOptions options_;
  std::map<core::RunId, Run> runs_;
  std::function<void(const std::string&)> on_change_;
  std::map<std::tuple<core::RunId, core::Role, int>, int> starts_;
  std::multimap<std::string, Fault> faults_;
  std::multiset<std::string> hangs_;
  engine::AsyncEvent unhang_;
  std::map<std::string, int> calls_;
  std::vector<std::string> log_;
  int most_active_ = 0;
};

}  // namespace atq::fakes
