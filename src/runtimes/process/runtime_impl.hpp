#pragma once
// The process runtime's inside. Methods run on the engine's thread; what blocks goes to the pool.
// The definitions stand by topic: runtime.cpp (life, observation), begin.cpp, replicas.cpp (spawn,
// end, stop), checks.cpp, adopt.cpp (after a restart), log_stream.cpp.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "src/proc/cgroup.hpp"
#include "src/proc/loopback.hpp"
#include "src/proc/spawn.hpp"
#include "src/proc/watch.hpp"
#include "src/runtimes/process/launch.hpp"
#include "src/runtimes/process/process_runtime.hpp"
#include "src/runtimes/process/replica_files.hpp"
#include "src/runtimes/process/run_entry.hpp"

namespace atq::process {

using RunPtr = std::shared_ptr<RunEntry>;
using FrozenPtr = std::shared_ptr<const api::FrozenSpec>;

/// What start() found of one run on disk.
struct FoundRun {
  RunRecord record;
  RunFolder folder;
  std::vector<Trace> workers;
  Trace master;
  bool checks_exist = false, checks_stopped = false;
  std::optional<agent::Started> prober;
  bool collected = false;
  std::optional<core::Statement> statement;
};

class ProcessRuntime::Impl : public std::enable_shared_from_this<ProcessRuntime::Impl> {
 public:
  Impl(boost::asio::io_context& loop, Options options);

  AsyncResult<void> start();
  Task<void> stop();
  Result<std::vector<core::ObservedRun>> observe(const std::string& uid);
  std::vector<ports::KnownRun> known_runs();
  AsyncResult<void> begin(ports::RunStart start);
  AsyncResult<void> ensure_workers(core::RunId id);
  AsyncResult<void> ensure_checks(core::RunId id);
  AsyncResult<void> ensure_master(core::RunId id);
  AsyncResult<void> release(core::RunId id, core::Role role, std::string version);
  AsyncResult<void> stop_checks(core::RunId id);
  AsyncResult<void> stop_role(core::RunId id, core::Role role, core::StopMode mode, Duration grace);
  AsyncResult<void> collect(core::RunId id);
  AsyncResult<void> remove(core::RunId id);
  AsyncResult<void> logs(core::RunId id, ports::LogOptions options, LogWriter write);

  Options options_;
  std::function<void(const std::string&)> on_change_;

 private:
  /// Counts calls and tasks under way, which stop() waits for.
  class Busy;

  // ---- runtime.cpp
  RunPtr find(const core::RunId& id) const;
  Result<RunPtr> require(const core::RunId& id) const;
  Result<FrozenPtr> frozen_of(RunEntry& run);
  LaunchContext context_of(const RunEntry& run, const api::FrozenSpec& frozen) const;
  void changed(const RunEntry& run);
  void warn(const std::string& message) const;
  void spawn_task(Task<void> task);
  void on_folder_event(int watch, std::string_view name);
  void look_everywhere();
  /// Forgets what a run needs only while something of it lives.
  void cool_down(RunEntry& run);

  // ---- begin.cpp
  Result<void> assign_places(RunEntry& run, const api::FrozenSpec& frozen);
  Result<Place> make_place(const RunEntry& run, const api::RoleSpec& role, core::Role kind,
                           uint32_t address, uint64_t seed);
  bool usable(const api::FrozenSpec& frozen, const proc::AddressRange& range) const;
  void keep_places(RunEntry& run);
  void free_places(RunEntry& run);

  // ---- replicas.cpp
  Result<void> launch(const RunPtr& run, ReplicaEntry& replica);
  void watch_agent(const RunPtr& run, ReplicaEntry& replica, int pid, proc::UniqueFd pidfd);
  Result<void> watch_folder(const RunPtr& run, ReplicaEntry& replica);
  void unwatch(ReplicaEntry& replica);
  void agent_ended(const RunPtr& run, ReplicaEntry& replica);
  Task<void> settle(RunPtr run, ReplicaEntry* replica, bool agent_gone,
                    std::optional<int> agent_code, std::optional<int> session);
  void replica_event(const RunPtr& run, ReplicaEntry& replica, std::string_view name);
  void note_started(RunEntry& run, ReplicaEntry& replica);
  ExitContext exit_context(const RunEntry& run, const ReplicaEntry& replica,
                           const api::FrozenSpec* frozen);
  std::string cgroup_of(const RunEntry& run, const ReplicaEntry& replica,
                        const api::FrozenSpec* frozen) const;
  const proc::Cgroups& cgroups();
  Result<void> release_workers(const RunPtr& run);
  Result<void> release_master(const RunPtr& run);
  void ask_to_stop(const RunPtr& run, ReplicaEntry& replica, core::StopMode mode, Duration grace);
  void arm_kill(const RunPtr& run, ReplicaEntry& replica, Duration after);
  static bool is_inert_master(const RunEntry& run, const ReplicaEntry& replica);
  /// A master that is stopped before its release has ended: nobody can release it any more.
  AsyncResult<void> withdraw_master(RunPtr run);
  /// Kills agents and prober; gives their pidfds, to be waited for and reaped.
  std::shared_ptr<std::vector<proc::UniqueFd>> kill_everything(RunEntry& run);

  // ---- checks.cpp
  Result<void> launch_prober(const RunPtr& run);
  void watch_prober(const RunPtr& run, proc::UniqueFd pidfd);
  void prober_ended(const RunPtr& run);
  Result<void> watch_report(const RunPtr& run);
  void read_report(const RunPtr& run);
  bool checks_wanted(const RunEntry& run) const;

  // ---- adopt.cpp
  void install(FoundRun found);
  void adopt_replica(const RunPtr& run, ReplicaEntry& replica, const Trace& trace);
  void adopt_prober(const RunPtr& run, const FoundRun& found);
  void renew_version(RunEntry& run);

  boost::asio::io_context& loop_;
  boost::asio::thread_pool pool_{2};
  std::string version_;  ///< this director's, see RunFolder::inert
  proc::Block block_;
  proc::AddressPool addresses_{proc::Block{}};
  proc::PortPool ports_;
  std::optional<proc::Cgroups> cgroups_;  ///< looked for when the first limit is asked for
  bool warned_of_limits_ = false;
  bool stopping_ = false;
  int busy_ = 0;
  std::unique_ptr<boost::asio::steady_timer> idle_;
  std::map<std::string, std::map<int64_t, RunPtr>> runs_;
  struct Watched {
    std::weak_ptr<RunEntry> run;
    ReplicaEntry* replica = nullptr;  ///< null: the checks' folder
  };
  std::map<int, Watched> watched_;
  std::unique_ptr<proc::FolderWatch> folders_;
};

/// Everything below DATA/runs; kills agents whose run cannot be read. Blocking. Warnings are
/// appended to `warnings`.
std::vector<FoundRun> find_runs(const std::filesystem::path& data,
                                std::vector<std::string>& warnings);

/// Streams a replica's output; definitions in log_stream.cpp.
AsyncResult<void> stream_logs(boost::asio::io_context& loop, RunPtr run, ReplicaEntry* replica,
                              ports::LogOptions options, ports::Runtime::LogWriter write);

}  // namespace atq::process
