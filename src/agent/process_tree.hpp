#pragma once
// The processes below the calling one. As a child subreaper (prctl PR_SET_CHILD_SUBREAPER) it
// inherits orphans, so nothing leaves its tree by forking twice or by a session of its own.

#include <cstdint>
#include <sys/types.h>
#include <vector>

namespace atq::agent {

struct ProcessId {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  ///< guards against a pid used again
};

/// All live processes (zombies are none) below the calling one, from /proc. Empty where /proc is
/// not there: then only process groups can be signalled.
std::vector<ProcessId> descendants();

/// Signals all of descendants(). Returns how many it found.
size_t signal_descendants(int signal_number);

}  // namespace atq::agent
