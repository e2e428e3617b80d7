#pragma once
// Starting a program, with errors that a newcomer understands.

#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

#include "src/base/error.hpp"

namespace atq::agent {

struct SpawnRequest {
  std::string file;                  ///< as find_executable gave it
  std::vector<std::string> command;  ///< argv, [0] included
  std::map<std::string, std::string> environment;
  std::string working_dir;
  int stdout_fd = -1;
  int stderr_fd = -1;
  int terminal_fd = -1;  ///< the slave of a pseudo-terminal: its stdin, stdout and stderr; -1: none
};

/// Where `name` is, by the PATH of `environment` (or /usr/local/bin:/usr/bin:/bin where there is
/// none). A name with a slash is the path itself, relative to `working_dir`. NotFound "locust: not
/// found in PATH (/usr/bin:/bin)", Forbidden "…: permission denied".
Result<std::string> find_executable(const std::string& name,
                                    const std::map<std::string, std::string>& environment,
                                    const std::string& working_dir);

/// Starts the program in a process group of its own (in a session of its own with a terminal), with
/// no signal blocked, /dev/null as stdin, and SIGKILL when the calling thread dies. Returns its pid
/// once it has been exec'ed; otherwise nothing is left of it.
Result<pid_t> spawn(const SpawnRequest& request);

}  // namespace atq::agent
