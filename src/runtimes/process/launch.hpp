#pragma once
// From a run's frozen spec and its places to what the agent is told. Pure.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "controller/api/profile.hpp"
#include "src/agent/protocol.hpp"
#include "src/runtimes/process/run_record.hpp"

namespace atq::process {

/// What is the same for every replica of a run.
struct LaunchContext {
  const api::FrozenSpec& frozen;
  const RunRecord& record;
  RunFolder folder;
  std::map<std::string, std::string> inherited;  ///< of the director's own environment
  bool die_with_parent = false;
};

/// Of the director's environment what tools may see: PATH, HOME, LANG, TMPDIR. Everything else
/// (tokens, proxies) stays with the director.
std::map<std::string, std::string> inherited_environment();

/// The whole environment of a replica: inherited, then the ATQ_ variables, then the spec's, whose
/// values may refer to the former by $(NAME).
std::map<std::string, std::string> environment_of(const LaunchContext& context, core::Role role,
                                                  int index);

agent::ReplicaSpec replica_spec(const LaunchContext& context, core::Role role, int index);

/// Every check against every worker, in the order of the spec, then of the workers.
std::vector<agent::ProbeTarget> probe_targets(const LaunchContext& context);

/// "10.0.0.1,10.0.0.2": ATQ's WORKER_CSV_VIPS.
std::string worker_addresses(const RunRecord& record);

/// The real number of a declared port; the number itself where it is not declared.
int actual_port(const Place& place, int declared);

/// What the spec asks for that this runtime cannot give. Invalid with the reason.
Result<void> check_supported(const api::FrozenSpec& frozen);

/// "tcp 1099 not yet accepting": what a replica that runs but is not ready waits for.
std::string describe_readiness(const api::FrozenSpec& frozen, const Place& place);

}  // namespace atq::process
