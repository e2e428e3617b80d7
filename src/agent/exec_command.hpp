#pragma once
// `atq-agent exec --folder DIR`: one replica, once.

#include <string>

namespace atq::agent {

struct ExecOptions {
  std::string folder;
  int parent = 0;  ///< whom die_with_parent means; 0: the parent found at the start
};

/// Returns the exit code: the tool's, kAlreadyStarted, kCannotStart, or 1 where the folder itself
/// cannot be used (said on stderr).
int run_exec(const ExecOptions& options);

}  // namespace atq::agent
