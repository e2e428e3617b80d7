#pragma once
// `atq-agent probe`: health checks.

#include <string>

#include "src/agent/protocol.hpp"

namespace atq::agent {

struct ProbeOptions {
  std::string spec_file;
  std::string spec_env;     ///< the environment variable with the checks, instead of a file
  std::string report_file;  ///< "-" = stdout
  int parent = 0;           ///< end when this process does; 0: nobody is watched
};

/// Runs all checks until all have passed: 0; 128 + signal when told to end; 1 when the parent
/// ended; 2 where the files cannot be used (said on stderr); kAlreadyStarted where another prober
/// has the report.
int run_probe(const ProbeOptions& options);

/// One try, a line on stdout: 0 passed, 1 failed.
int run_probe_once(const ProbeTarget& target);

}  // namespace atq::agent
