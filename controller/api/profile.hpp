#pragma once
// Tool profiles: data that teaches the director one load tool. The built-in ones are
// controller/api/profiles/*.yaml, compiled in; docs/profiles.md describes every field. resolve()
// lays a LoadTest's spec over its profile and gives the frozen spec of a run, which the run reads
// alone.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/api/codec.hpp"
#include "controller/api/types.hpp"
#include "src/base/error.hpp"

namespace atq::api {

/// How `spec.parameters` reach the tool. `{name}` and `{value}` stand for one parameter in the
/// templates.
struct ParameterStyle {
  std::vector<std::string>
      master_args;  ///< appended to the master's args for each, e.g. "-G{name}={value}"
  std::vector<std::string> worker_args;
  /// Environment of both roles: variable name from the parameter's, e.g. {"users": "LOCUST_USERS"}.
  std::map<std::string, std::string> environment;
  bool environment_all =
      false;  ///< every parameter also as a variable of its own name, if it is a valid one
  bool operator==(const ParameterStyle&) const = default;
};

/// What the tool itself says of a run when it has ended, and what that means.
struct ClosingStatement {
  /// RE2 over lines of the master's (else each worker's) output, the last match counts; named
  /// groups `requests`, `failures`, `rps`. Empty: the exit code is all there is.
  std::string pattern;
  std::vector<int> passed_exit_codes = {0};
  std::vector<int> failed_exit_codes;  ///< the tool says that the target failed
  bool failures_fail = false;  ///< a statement with failures > 0 is Failed, whatever the exit code
  bool operator==(const ClosingStatement&) const = default;
};

/// How a role is asked to stop before TERM: a datagram to a port of the role (JMeter's Shutdown).
struct StopSignal {
  std::string udp_port;  ///< name of a port; "": only TERM, grace, KILL
  std::string graceful;  ///< payload, e.g. "Shutdown"
  std::string now;       ///< payload, e.g. "StopTestNow"
  bool operator==(const StopSignal&) const = default;
};

/// A line of a role's output that explains its death, for the message of the status.
struct Diagnosis {
  std::string pattern;  ///< RE2 on output lines, first match wins
  std::string message;  ///< \0 and \1.. stand for groups
  bool operator==(const Diagnosis&) const = default;
};

struct RoleProfile {
  RoleSpec role;  ///< image, command, args, env, ports: used where the spec has none
  std::optional<Readiness> readiness;  ///< workers only
  StopSignal stop;
  std::vector<Diagnosis> diagnoses;
  bool operator==(const RoleProfile&) const = default;
};

struct Profile {
  std::string tool;
  RoleProfile worker;
  std::optional<RoleProfile> master;    ///< absent: the tool has none
  std::vector<HealthCheckItem> checks;  ///< used where the spec has none
  ParameterStyle parameters;
  ClosingStatement closing;
  /// File that is the test plan: this exact name, else the only file with this suffix. "": none
  /// needed.
  std::string plan_name;
  std::string plan_suffix;
  bool workers_exit_alone = false;  ///< workers end (exit 0) by themselves before the master does
  int32_t master_ends_within_seconds =
      30;                       ///< after the first worker's exit 0; later: that worker was lost
  bool allocate_ports = false;  ///< process runtime: declared ports are remapped to free ones (tool
                                ///< binds the wildcard)
  bool network_namespace = false;  ///< process runtime: a namespace each
  bool operator==(const Profile&) const = default;
};

/// The built-in profiles by tool name. Parsed once; throws std::logic_error if the compiled-in data
/// is broken.
const std::map<std::string, Profile>& builtin_profiles();
Result<Profile> parse_profile(std::string_view yaml);

/// A run's spec with everything filled in; what the run alone reads.
struct FrozenSpec {
  LoadTestSpec spec;  ///< resolved: image, command, args, env, ports, readiness, checks of both
                      ///< roles; spec.master absent = masterless run
  ClosingStatement closing;
  StopSignal worker_stop, master_stop;
  std::vector<Diagnosis> worker_diagnoses, master_diagnoses;
  std::string plan;  ///< file name of the plan; ATQ_PLAN = $(ATQ_DATA)/plan
  bool workers_exit_alone = false;
  int32_t master_ends_within_seconds = 30;
  bool allocate_ports = false;
  bool operator==(const FrozenSpec&) const = default;
};

/// Spec over profile. Problems (rule "semantic"): unknown tool, no plan file, several candidates,
/// no command.
struct Resolved {
  FrozenSpec frozen;
  std::vector<Problem> problems;
};
Resolved resolve(const LoadTestSpec& spec,
                 const std::map<std::string, Profile>& profiles = builtin_profiles());

std::string encode_frozen(const FrozenSpec& frozen);
Result<FrozenSpec> decode_frozen(std::string_view json);

/// Names with a fixed meaning in every replica's environment; users may not set them.
bool is_reserved_variable(std::string_view name);

}  // namespace atq::api
