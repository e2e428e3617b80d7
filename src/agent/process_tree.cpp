#include "src/agent/process_tree.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <set>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/agent/unique_fd.hpp"

namespace atq::agent {
namespace {

struct Stat {
  pid_t pid = 0;
  pid_t parent = 0;
  char state = 0;
  uint64_t start_ticks = 0;
};

/// Fields 3, 4 and 22 of /proc/PID/stat; the name before them may hold blanks and brackets.
std::optional<Stat> read_stat(int proc_fd, const char* pid_name) {
  char path[48];
  ::snprintf(path, sizeof path, "%s/stat", pid_name);
  const UniqueFd fd(::openat(proc_fd, path, O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  char buffer[2048];
  const ssize_t count = ::read(fd.get(), buffer, sizeof buffer - 1);
  if (count <= 0) return std::nullopt;
  buffer[count] = '\0';
  const char* bracket = std::strrchr(buffer, ')');
  Stat stat;
  if (bracket == nullptr ||
      ::sscanf(bracket + 1,
               " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lu",
               &stat.state, &stat.parent, &stat.start_ticks) != 3) {
    return std::nullopt;
  }
  stat.pid = std::atoi(pid_name);
  return stat;
}

struct CloseDir {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

std::vector<Stat> all_processes() {
  std::vector<Stat> out;
  const std::unique_ptr<DIR, CloseDir> proc(::opendir("/proc"));
  if (!proc) return out;
  while (const dirent* entry = ::readdir(proc.get())) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (const auto stat = read_stat(::dirfd(proc.get()), entry->d_name)) out.push_back(*stat);
  }
  return out;
}

/// Through a pidfd and after a second look, so that a process that took the pid over in between is
/// never hit.
void signal_exactly(const ProcessId& process, int signal_number) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  const UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto stat = read_stat(proc.get(), std::to_string(process.pid).c_str());
  if (!stat || stat->start_ticks != process.start_ticks) return;
  if (pidfd) {
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal_number, nullptr, 0);
  } else {
    ::kill(process.pid, signal_number);
  }
}

}  // namespace

std::vector<ProcessId> descendants() {
  const std::vector<Stat> processes = all_processes();
  std::set<pid_t> family{::getpid()};
  // A child's entry may come before its parent's: go round until nothing is added.
  for (size_t before = 0; before != family.size();) {
    before = family.size();
    for (const Stat& stat : processes) {
      if (family.contains(stat.parent)) family.insert(stat.pid);
    }
  }
  std::vector<ProcessId> out;
  for (const Stat& stat : processes) {
    const bool dead = stat.state == 'Z' || stat.state == 'X';
    if (stat.pid != ::getpid() && !dead && family.contains(stat.pid)) {
      out.push_back({stat.pid, stat.start_ticks});
    }
  }
  return out;
}

size_t signal_descendants(int signal_number) {
  const std::vector<ProcessId> family = descendants();
  for (const ProcessId& process : family) signal_exactly(process, signal_number);
  return family.size();
}

}  // namespace atq::agent
