#pragma once
// `atq-agent pod -- COMMAND`: one replica in a container, whose first process the agent is.

#include <string>

#include "src/agent/protocol.hpp"

namespace atq::agent {

struct PodOptions {
  /// From the command line: command (as it stands, Kubernetes has expanded it), address, readiness,
  /// stop and grace. wait_for_release where a token is given.
  ReplicaSpec spec;
  std::string termination_log;  ///< "" = none
  std::string start_token;      ///< "" = the tool starts at once
  int listen_port = 0;          ///< 0 = no HTTP
};

/// Returns the exit code: the tool's, or kCannotStart with the reason on stderr and in the record.
int run_pod(const PodOptions& options);

}  // namespace atq::agent
