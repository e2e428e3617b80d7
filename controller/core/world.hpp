#pragma once
// What reconcile() sees: values only, sorted, no clock, no I/O. The engine gathers it; tests write
// it.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/api/codec.hpp"
#include "controller/api/profile.hpp"
#include "controller/api/types.hpp"
#include "src/base/error.hpp"

namespace atq::core {

enum class Role { Worker, Master };
std::string_view to_string(Role role) noexcept;  // "worker", "master"

/// One execution of a LoadTest. (uid, number) names everything that belongs to it.
struct RunId {
  std::string uid;  ///< of the LoadTest
  int64_t number = 0;
  auto operator<=>(const RunId&) const = default;
};

/// How a replica ended.
struct Exit {
  int code = 0;  ///< exit status; 128 + signal where a signal ended it
  int signal = 0;
  TimePoint at{};
  Duration ran_for{};
  std::vector<std::string>
      last_lines;         ///< of its log, at most 5, printable, each at most 200 bytes
  std::string diagnosis;  ///< from the profile's diagnoses, or the runtime's word ("out of memory")
  bool operator==(const Exit&) const = default;
};

enum class ReplicaState {
  Absent,    ///< no trace of it
  Inert,     ///< created, not released: makes no load
  Starting,  ///< released or created, its process not seen yet
  Running,
  Exited,  ///< `exit` is set; stays so (a tombstone) until the run is removed
};

struct Replica {
  int index = 0;
  ReplicaState state = ReplicaState::Absent;
  bool ready = false;   ///< readiness of the profile or spec holds or has held
  std::string address;  ///< where the others reach it; "" = not discovered
  std::string
      not_ready_because;  ///< "tcp 1099 refused (3 tries)", "image pull: …"; for the status message
  std::optional<Exit> exit;
  bool operator==(const Replica&) const = default;
};

/// State of one check against one worker.
struct CheckResult {
  std::string name;
  int worker = 0;
  bool passed = false;     ///< success_threshold reached; stays true
  int tries = 0;           ///< 0: none yet, or the platform does not say
  std::string last_error;  ///< "tcp 1099 refused"; "" = none yet or passed
  bool operator==(const CheckResult&) const = default;
};

/// The tool's closing statement, as the profile's pattern read it from the output.
struct Statement {
  int64_t requests = 0;
  int64_t failures = 0;
  std::string requests_per_second;  ///< "" = not stated
  bool operator==(const Statement&) const = default;
};

/// What the runtime has of one run. Absent parts are empty, never invented.
struct ObservedRun {
  int64_t number = 0;
  bool network_ready =
      false;  ///< addresses are assigned; for the process runtime: the block is reserved
  std::vector<Replica> workers;  ///< by index; empty until created
  std::optional<Replica> master;
  bool checks_exist = false;
  std::vector<CheckResult> checks;     ///< by (name order of the spec, worker)
  std::optional<Statement> statement;  ///< read after the roles that make it have exited
  std::optional<int64_t> start_skew_microseconds;  ///< between first and last released worker
  bool results_collected = false;                  ///< collect() has been done for it
  std::string problem;  ///< what holds the platform up ("address pool exhausted"), for the status
  std::string version;  ///< of the inert objects, for the conditional release
  bool operator==(const ObservedRun&) const = default;
};

/// The last failure of an action for this object, kept by the engine until one succeeds.
struct ActionFailure {
  std::string action;  ///< "EnsureWorkers"
  int64_t run = 0;
  Error error;
  int attempts = 1;
  bool operator==(const ActionFailure&) const = default;
};

/// What the store and the runtime can do.
struct Capabilities {
  bool finalizers = false;  ///< deletion waits until we let go; else a vanished object is swept
  bool garbage_collection = false;  ///< the platform removes children with their owner
  bool config_maps = false;         ///< the runtime itself reads files of ConfigMaps and Secrets
  std::string runtime_name;         ///< for messages
  bool operator==(const Capabilities&) const = default;
};

/// The engine's answer to "may this object start a run now".
struct AdmissionTicket {
  bool granted = false;
  int position = 0;  ///< 1 = next; 0 where granted
  int running = 0;
  int limit = 0;
  bool operator==(const AdmissionTicket&) const = default;
};

struct World {
  std::shared_ptr<const api::LoadTest> test;  ///< as stored, with its status; never null
  std::vector<api::Problem> problems;         ///< of the stored spec; any: not accepted
  std::shared_ptr<const api::FrozenSpec>
      resolved;  ///< the spec as a run of now would freeze it; null with problems
  /// The frozen spec of the newest run: the highest number among status.run.number and `observed`
  /// (the latter is ahead after a crash between BeginRun and the status write). Null before its
  /// BeginRun, and where its record is gone.
  std::shared_ptr<const api::FrozenSpec> run;
  std::vector<ObservedRun> observed;  ///< by number
  std::optional<ActionFailure> failure;
  AdmissionTicket admission;
  Capabilities capabilities;
};

}  // namespace atq::core
