#pragma once
// Starts a program in a session of its own. Call it on a thread that lives as long as the program
// should: PR_SET_PDEATHSIG counts from the thread.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/base/error.hpp"
#include "src/proc/fd.hpp"

namespace atq::proc {

struct SpawnSpec {
  std::filesystem::path program;       ///< no search in PATH
  std::vector<std::string> arguments;  ///< without the program's name
  std::map<std::string, std::string> environment;
  std::filesystem::path output;                ///< stdout and stderr, appended; "" = /dev/null
  std::vector<std::filesystem::path> cgroups;  ///< cgroup.procs files to join before the program
                                               ///< runs; those that fail are passed over
  std::filesystem::path network_namespace;     ///< to enter before the program runs; "" = ours
};

struct Child {
  int pid = 0;
  UniqueFd pidfd;
};

/// stdin is /dev/null, no other descriptor is inherited, no signal is blocked or ignored. NotFound
/// or Forbidden where the program cannot be executed. The caller reaps the child.
Result<Child> spawn(const SpawnSpec& spec);

/// How a child ended; nullopt while it runs. Reaps it.
struct ChildExit {
  int code = 0;  ///< exit status, or 128 + signal
  int signal = 0;
};
std::optional<ChildExit> reap(const UniqueFd& pidfd) noexcept;

}  // namespace atq::proc
