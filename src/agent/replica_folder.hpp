#pragma once
// The director's end of the protocol: looks into a replica's folder. Cheap, blocking on the local
// disk only, any thread. Errors: NotFound where the file is not there (yet), Invalid where it is
// damaged.

#include <string>

#include "src/agent/protocol.hpp"
#include "src/base/error.hpp"

namespace atq::agent {

inline constexpr char kReplicaFile[] = "replica.json";
inline constexpr char kLockFile[] = "agent.lock";
inline constexpr char kReleasedFile[] = "released";
inline constexpr char kStartedFile[] = "started";
inline constexpr char kReadyFile[] = "ready";
inline constexpr char kExitFile[] = "exit.json";
inline constexpr char kStdoutFile[] = "stdout.log";
inline constexpr char kStderrFile[] = "stderr.log";

/// More than any of these files ever has; a larger one is refused.
inline constexpr size_t kMaxFileBytes = size_t{16} << 20;

/// Writes replica.json by rename, without syncing it: after a power cut no agent lives anyway.
Result<void> write_replica_spec(const std::string& folder, const ReplicaSpec& spec);
Result<ReplicaSpec> read_replica_spec(const std::string& folder);

/// Lets a waiting agent start its tool; also well where it was released before.
Result<void> release(const std::string& folder);
bool is_released(const std::string& folder);

/// True while an agent holds the folder's lock.
bool is_alive(const std::string& folder);
/// The agent that lives, or lived last, here (agent.lock). It may still wait for its release.
/// Invalid for an instant, while a starting agent writes it.
Result<Started> read_agent(const std::string& folder);
/// The tool may have run (`started`).
Result<Started> read_started(const std::string& folder);
bool is_ready(const std::string& folder);
Result<ExitRecord> read_exit(const std::string& folder);

/// True if `started` names a process that runs now: same boot, same pid, same start time. For
/// signalling: open a pidfd first, ask this, then signal through the pidfd.
bool is_running(const Started& started);

/// The calling process's own record.
Started describe_self(int64_t at_us);

}  // namespace atq::agent
