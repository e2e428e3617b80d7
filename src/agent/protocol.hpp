#pragma once
// What passes between a runtime and atq-agent: files in one folder per replica, so that either side
// may die and come back. Written by rename, read whole; JSON. Reading them: replica_folder.hpp.
//
//   replica.json  by the runtime, before the agent starts: ReplicaSpec.
//
//   agent.lock    by the agent, at its start: Started, of the agent. It holds an exclusive
//                 open-file-description lock (fcntl F_OFD_SETLK) on it for as long as it lives. So
//                 "alive" can be asked without a pid (F_OFD_GETLK asks and never takes the lock,
//                 thus cannot make a starting agent believe that another one runs), and an agent
//                 that waits for its release can be found.
//
//   released      by the runtime (O_CREAT|O_EXCL), where the spec says wait_for_release: the tool
//                 may start now.
//
//   started       by the agent (created exclusively, at once whole), right before the tool starts:
//                 Started. Its being there means that the tool may have run. An agent that finds
//                 it, or exit.json, or agent.lock locked, exits with kAlreadyStarted and touches
//                 nothing: a replica never starts twice.
//
//   ready         by the agent, empty: readiness has held.
//
//   exit.json     by the agent, when the tool and every process below it have ended: ExitRecord.
//                 Without `started` beside it the tool never ran.
//
//   stdout.log, stderr.log   the tool's output, bounded: at max_log_bytes the file is moved to *.1
//                 and begun anew.
//
//   data/         the files of the role, read-only: ATQ_DATA.
//   out/          writable: ATQ_OUT, the place for results.
//   work/         the tool's working folder if the spec names none.
//
// Signals to the agent: TERM (also HUP) stops gracefully: the stop datagram, half the grace later
// TERM to the tool's process group, at the end of the grace KILL to every process below the agent.
// INT, USR1, QUIT or a second TERM stop now: KILL at once, or where StopSpec has a `now` datagram,
// that and KILL one second later.
// The pid in `started` and agent.lock is for pidfd_open, guarded by the start time.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.hpp"
#include "src/base/time.hpp"

namespace atq::agent {

inline constexpr int kAlreadyStarted = 120;  ///< exit code of a second agent
inline constexpr int kCannotStart = 121;     ///< the tool could not be started; exit.json says why

/// Of several, all must hold. All unset: ready when the tool has started.
struct ReadinessSpec {
  int tcp_port = 0;  ///< on `address`
  int http_port = 0;
  std::string http_path;
  std::string log_pattern;  ///< RE2
  bool operator==(const ReadinessSpec&) const = default;
};

/// A tool's own way to be stopped. The datagram goes to `address`; where that is no loopback
/// address, to 127.0.0.1 as well (JMeter listens to loopback senders only).
struct StopSpec {
  int udp_port = 0;           ///< 0: none
  std::string graceful, now;  ///< datagrams
  bool operator==(const StopSpec&) const = default;
};

struct ReplicaSpec {
  std::vector<std::string> command;  ///< command and args, unexpanded; never empty
  std::map<std::string, std::string>
      environment;          ///< all of it: the agent adds nothing; used for $(NAME)
  std::string working_dir;  ///< "" = work/
  std::string address;      ///< own address, for readiness
  bool tty = false;
  bool wait_for_release = false;
  bool die_with_parent = false;  ///< the parent is `atq run`: end when it does
  ReadinessSpec readiness;
  StopSpec stop;
  int64_t grace_ms = 30'000;         ///< between TERM and KILL when the agent gets TERM
  int64_t max_log_bytes = 16 << 20;  ///< of each of stdout.log and stderr.log
  bool operator==(const ReplicaSpec&) const = default;
};

struct Started {
  int pid = 0;               ///< of the agent
  uint64_t start_ticks = 0;  ///< field 22 of /proc/PID/stat
  std::string boot_id;       ///< /proc/sys/kernel/random/boot_id
  int64_t at_us = 0;         ///< wall clock, microseconds
  bool operator==(const Started&) const = default;
};

struct ExitRecord {
  int code = 0;  ///< exit status; 128 + signal; kCannotStart
  int signal = 0;
  std::string error;  ///< "locust: not found in PATH /usr/bin:…"; only with kCannotStart
  int64_t at_us = 0;
  int64_t ran_for_us = 0;
  int64_t user_us = 0, system_us = 0, max_rss_kib = 0;
  std::vector<std::string> last_lines;  ///< of stderr and stdout together, at most 20, printable
  bool operator==(const ExitRecord&) const = default;
};

/// One try of the prober: a line of report.jsonl.
struct CheckReport {
  std::string name;
  int worker = 0;
  bool passed = false;  ///< the success threshold is reached
  int tries = 0;
  std::string error;  ///< of the last try; "" = it succeeded
  int64_t at_us = 0;
  bool operator==(const CheckReport&) const = default;
};

/// What the prober is to do: checks.json. It runs every check against every worker side by side
/// until all have passed, appends a CheckReport to `report` whenever one changes (and for repeated
/// failures at most every second), then exits 0. TERM ends it at once. Holds the same kind of lock
/// on the report as the agent does on agent.lock, so only one prober runs (a second one exits with
/// kAlreadyStarted).
struct ProbeTarget {
  std::string name;
  int worker = 0;
  std::string kind;  ///< tcp | udp | http | exec
  std::string host;
  int port = 0;
  std::string path, send, expect;    ///< http path; udp payload; RE2 on answer, body or output
  int status = 0;                    ///< http: expected status, 0 = 2xx or 3xx
  std::vector<std::string> command;  ///< exec
  std::map<std::string, std::string> environment;  ///< exec
  int exit_code = 0;                               ///< exec
  int64_t timeout_ms = 2'000, period_ms = 1'000;
  int success_threshold = 1;
  bool operator==(const ProbeTarget&) const = default;
};

/// The answer to POST /start of a replica in a pod.
struct StartAnswer {
  int64_t started_at_us = 0;  ///< its wall clock, when the tool was running
  bool operator==(const StartAnswer&) const = default;
};

/// What `atq-agent start` prints, as one line.
struct StartReport {
  /// Between the first and the last start. By the workers' clocks, but never more than passed for
  /// the starter between its first request and its last answer, since those clocks may differ.
  int64_t skew_us = 0;
  int started = 0;
  std::vector<std::string> errors;  ///< "10.0.0.7:7070: refused"; at most 20
  bool operator==(const StartReport&) const = default;
};

/// Kubernetes cuts a termination message at 4096 bytes, which would leave no JSON.
inline constexpr size_t kMaxTerminationBytes = 4000;

/// encode() within `limit` bytes (at least 1000): first the oldest of the last lines go, then the
/// end of the error.
std::string encode_within(size_t limit, ExitRecord record);

std::string encode(const StartAnswer& answer);
std::string encode(const StartReport& report);
Result<StartAnswer> decode_start_answer(std::string_view json);
Result<StartReport> decode_start_report(std::string_view json);

std::string encode(const ReplicaSpec& spec);
std::string encode(const Started& started);
std::string encode(const ExitRecord& record);
std::string encode(const CheckReport& report);
std::string encode(const std::vector<ProbeTarget>& targets);
Result<ReplicaSpec> decode_replica_spec(std::string_view json);
Result<Started> decode_started(std::string_view json);
Result<ExitRecord> decode_exit_record(std::string_view json);
Result<CheckReport> decode_check_report(std::string_view json);
Result<std::vector<ProbeTarget>> decode_probe_targets(std::string_view json);

}  // namespace atq::agent
