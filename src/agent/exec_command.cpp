#include "src/agent/exec_command.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>

#include "src/agent/files.hpp"
#include "src/agent/folder_home.hpp"
#include "src/agent/replica_folder.hpp"
#include "src/agent/signals.hpp"
#include "src/agent/supervisor.hpp"
#include "src/agent/wall_clock.hpp"
#include "src/base/expand.hpp"

namespace atq::agent {
namespace {

int complain(const std::string& message) {
  ::fprintf(stderr, "atq-agent: %s\n", message.c_str());
  return 1;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// The folder is ours for as long as the descriptor is open. Conflict where another agent has, or
/// has had, this replica.
Result<UniqueFd> claim(const std::string& folder) {
  const std::string path = folder + "/" + kLockFile;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return std::unexpected(from_errno(errno, "open " + path));
  if (auto locked = lock_exclusive(fd.get(), path); !locked) return std::unexpected(locked.error());
  if (exists(folder + "/" + kStartedFile) || exists(folder + "/" + kExitFile)) {
    return fail(ErrorKind::Conflict, folder + ": this replica has been started before");
  }
  // There may be the record of an agent that died while it waited for its release.
  if (::ftruncate(fd.get(), 0) != 0) return std::unexpected(from_errno(errno, "truncate " + path));
  if (auto written = write_all(fd.get(), encode(describe_self(wall_clock_us())), path); !written) {
    return std::unexpected(written.error());
  }
  return fd;
}

/// On a full disk the rotated logs make room for what matters more.
void write_record(const std::string& folder, const ExitRecord& record) {
  const std::string path = folder + "/" + kExitFile, text = encode(record);
  auto written = write_by_rename(path, text, true);
  if (written) return;
  for (const char* log : {kStdoutFile, kStderrFile}) {
    ::unlink((folder + "/" + log + ".1").c_str());
  }
  written = write_by_rename(path, text, true);
  if (!written) complain(written.error().message);
}

/// What the runtime left to be filled in where the replica runs.
ReplicaSpec resolved_in(const std::string& folder, ReplicaSpec spec) {
  for (std::string& text : spec.command) text = expand_variables(text, spec.environment);
  if (spec.working_dir.empty()) {
    spec.working_dir = folder + "/work";
    ::mkdir(spec.working_dir.c_str(), 0755);  // where it fails, the tool's start says why
  } else if (!spec.working_dir.starts_with('/')) {
    spec.working_dir = folder + "/" + spec.working_dir;
  }
  return spec;
}

int supervise(const std::string& folder, const ReplicaSpec& spec, Signals& signals, int parent) {
  EventLoop loop;
  FolderHome home(loop, folder, spec.max_log_bytes);
  Supervisor supervisor(loop, home, resolved_in(folder, spec));
  signals.watch(loop, [&](int number) {
    if (number == SIGCHLD) return supervisor.reap();
    if (is_now_signal(number)) return supervisor.stop_now();
    if (is_stop_signal(number)) return supervisor.stop_gracefully();
  });
  std::optional<ParentWatch> parent_watch;
  if (spec.die_with_parent) {
    parent_watch.emplace(loop, parent, [&] { supervisor.stop_gracefully(); });
  }
  loop.after(std::chrono::milliseconds(0), [&] { supervisor.begin(); });
  loop.run();
  if (supervisor.started_before()) return kAlreadyStarted;
  write_record(folder, supervisor.record());
  return supervisor.record().code;
}

}  // namespace

int run_exec(const ExecOptions& options) {
  Signals signals{SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGQUIT, SIGCHLD, SIGPIPE};
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::setsid();  // fails, harmlessly, where the caller has done it
  char resolved[PATH_MAX];
  if (::realpath(options.folder.c_str(), resolved) == nullptr) {
    return complain(from_errno(errno, options.folder).message);
  }
  const std::string folder = resolved;
  const auto lock = claim(folder);
  if (!lock) {
    const int code = complain(lock.error().message);
    return lock.error().kind == ErrorKind::Conflict ? kAlreadyStarted : code;
  }
  const auto spec = read_replica_spec(folder);
  if (!spec) {
    write_record(folder,
                 {.code = kCannotStart, .error = spec.error().message, .at_us = wall_clock_us()});
    return kCannotStart;
  }
  return supervise(folder, *spec, signals, options.parent);
}

}  // namespace atq::agent
