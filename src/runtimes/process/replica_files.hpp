#pragma once
// The blocking half of a replica: makes its folder, reads what happened in it, and leaves a
// tombstone where its agent could not. Runs on the pool; no state.

#include <optional>
#include <string>
#include <vector>

#include "controller/ports/runtime.hpp"
#include "src/agent/protocol.hpp"
#include "src/proc/cgroup.hpp"
#include "src/proc/fd.hpp"
#include "src/runtimes/process/run_record.hpp"

namespace atq::process {

/// Places a run's files below files/worker and files/master, read-only; a role without files has no
/// such folder. Invalid for names that are no plain file names; what is missing keeps its error.
Result<void> place_files(const RunFolder& folder, const std::vector<ports::RunFile>& files,
                         bool with_master);

/// What place_files() has placed for the role; nothing where it has no files.
Result<std::vector<std::string>> names_of_files(const RunFolder& folder, core::Role role);

/// Folder of a replica with data/, out/ and replica.json; harmless where it exists. `files`:
/// names_of_files() of its role.
Result<void> make_replica_folder(const RunFolder& folder, core::Role role, int index,
                                 const agent::ReplicaSpec& spec,
                                 const std::vector<std::string>& files);

/// What a replica's folder says now.
struct Trace {
  bool created = false;  ///< replica.json is there
  bool released = false;
  bool ready = false;
  bool stop_asked = false;
  bool alive = false;                     ///< an agent holds its lock
  std::optional<agent::Started> agent;    ///< the agent that lives or lived last
  std::optional<agent::Started> started;  ///< the tool may have run
  bool has_exit = false;
};
Trace read_trace(const std::filesystem::path& folder);

/// Marker of the runtime: the agent was asked to stop, so it is not asked twice (twice means now).
inline constexpr char kStopAskedFile[] = "stop-asked";
inline constexpr char kAgentLogFile[] = "agent.log";

/// What is needed to say how a replica ended.
struct ExitContext {
  std::filesystem::path folder;
  std::vector<api::Diagnosis> diagnoses;
  proc::Cgroups cgroups;
  std::string cgroup;        ///< "" = none
  std::string memory_limit;  ///< as written in the spec, for the message
};

/// Reads exit.json. NotFound while there is none; a damaged one reads as killed.
Result<core::Exit> read_exit(const ExitContext& context);

/// Writes the end of a replica that never began: stopped before it was released. Gives it as
/// read_exit() does.
Result<core::Exit> withdraw(const ExitContext& context);

/// For an agent that is gone and wrote nothing: kills what is left of its tree and writes exit.json
/// in its stead. `agent_code` is its own exit code where known; `session` its pid where it has just
/// ended, as it led a session of its own.
Result<core::Exit> bury(const ExitContext& context, std::optional<int> agent_code,
                        std::optional<int> session);

/// Kills every process that was started with this folder's ATQ_OUT or is of this session.
int kill_leftovers(const std::filesystem::path& folder, std::optional<int> session = {});

/// Kills every process that was started for any replica or check of a run.
int kill_run(const std::filesystem::path& run_folder);

/// Waits, at most 5 s each, until these processes have ended, and reaps those that are children.
void wait_for_end(const std::vector<proc::UniqueFd>& pidfds);

/// The last of stdout and stderr, with what was rotated away, at most `max_bytes` of each.
std::string read_output(const std::filesystem::path& folder, size_t max_bytes);

}  // namespace atq::process
