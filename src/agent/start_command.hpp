#pragma once
// `atq-agent start`: starts the waiting workers of a run without a master, all at once.

#include <string>
#include <vector>

#include "src/agent/protocol.hpp"

namespace atq::agent {

struct HostPort {
  std::string host;
  int port = 0;
  bool operator==(const HostPort&) const = default;
};

struct StartOptions {
  std::string token;
  std::vector<HostPort> targets;
  int64_t timeout_ms = 30'000;
};

/// Connects to every target first, trying again where it fails, and only when all connections stand
/// sends the start to all: either nobody is started or everybody is asked to. An answer that is
/// lost is asked for again, which starts nothing twice. Prints a StartReport as one line on stdout.
/// 0: all have started; 1: not all have, for the reasons in the report; 128 + signal.
int run_start(const StartOptions& options);

}  // namespace atq::agent
