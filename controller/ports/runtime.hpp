#pragma once
// Where workers and masters run. One typed conformance suite (tests/conformance/runtime_suite.hpp)
// runs against every implementation. All calls from the engine's thread. Every call but observe()
// and logs() is idempotent and named by (uid, run, role, index): calling it again after a crash
// finds what the first did.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/plan.hpp"
#include "controller/ports/task.hpp"

namespace atq::ports {

/// A file to be placed read-only for a role.
struct RunFile {
  std::optional<core::Role> role;  ///< unset: both
  std::string name;                ///< base name
  std::string content;             ///< used where local_path is empty
  std::filesystem::path local_path;
};

/// What begin() is told of a run.
struct RunStart {
  core::RunId id;
  api::Key key;
  std::shared_ptr<const api::FrozenSpec> frozen;
  std::vector<RunFile> files;
};

/// A run the runtime knows, with what it was begun with; how the engine finds runs after a restart.
struct KnownRun {
  core::RunId id;
  api::Key key;
  std::shared_ptr<const api::FrozenSpec> frozen;
};

struct LogOptions {
  core::Role role = core::Role::Master;
  int index = 0;
  bool follow = false;
  size_t tail_lines = 0;  ///< 0: all
};

class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual std::string name() const = 0;  ///< as configured, e.g. "process"
  virtual core::Capabilities capabilities() const = 0;

  /// Finds what an earlier director left. Before any other call. Errors end the start.
  virtual AsyncResult<void> start() = 0;
  /// Ends watching; the processes of runs go on (another director takes over). Waits for calls
  /// under way.
  virtual Task<void> stop() = 0;

  /// Called with a LoadTest's uid when something of its runs has changed: a hint, may be spurious.
  /// Set once, before start(); called on the engine's thread.
  virtual void on_change(std::function<void(const std::string& uid)> callback) = 0;

  /// Runs of this LoadTest, by number. Cheap: called at each reconcile.
  virtual AsyncResult<std::vector<core::ObservedRun>> observe(const std::string& uid) = 0;
  /// All runs known here, for adoption after a restart and for the sweep of orphans.
  virtual std::vector<KnownRun> known_runs() = 0;

  /// Durable record of the run and its frozen spec, its files, its network or addresses. A second
  /// begin of the same id keeps the first's frozen spec.
  virtual AsyncResult<void> begin(const RunStart& start) = 0;
  virtual AsyncResult<void> ensure_workers(const core::RunId& run) = 0;
  virtual AsyncResult<void> ensure_checks(const core::RunId& run) = 0;
  virtual AsyncResult<void> ensure_master(const core::RunId& run) = 0;
  /// Conflict where the version is no longer `version`; success if it is released already.
  virtual AsyncResult<void> release(const core::RunId& run, core::Role role,
                                    const std::string& version) = 0;
  virtual AsyncResult<void> stop_checks(const core::RunId& run) = 0;
  /// Begins to stop a role; the end is observed. Now overtakes Graceful.
  virtual AsyncResult<void> stop_role(const core::RunId& run, core::Role role, core::StopMode mode,
                                      Duration grace) = 0;
  virtual AsyncResult<void> collect(const core::RunId& run) = 0;
  /// Kills what runs, removes every trace. Returns when nothing is left.
  virtual AsyncResult<void> remove(const core::RunId& run) = 0;

  /// Sends a replica's output to `write` in pieces; `write` gives false to end. NotFound.
  using LogWriter = std::function<Task<bool>(std::string_view)>;
  virtual AsyncResult<void> logs(const core::RunId& run, const LogOptions& options,
                                 LogWriter write) = 0;
};

}  // namespace atq::ports
