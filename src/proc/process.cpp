#include "src/proc/process.hpp"

#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/base/text.hpp"

namespace atq::proc {
namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

template <class Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

const std::string& boot_id() {
  static const std::string id = [] {
    std::string text = slurp("/proc/sys/kernel/random/boot_id");
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }();
  return id;
}

Result<Stat> read_stat(int pid) {
  const std::string text = slurp("/proc/" + std::to_string(pid) + "/stat");
  // The second field is the name in brackets and may hold anything, brackets and spaces too.
  const size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) {
    return fail(ErrorKind::NotFound, "no process " + std::to_string(pid));
  }
  const auto fields = split(std::string_view(text).substr(name_end + 2), ' ');
  constexpr size_t kStartTicks = 19;
  if (fields.size() <= kStartTicks || fields[0].empty()) {
    return fail(ErrorKind::Internal, "/proc/" + std::to_string(pid) + "/stat cannot be read");
  }
  return Stat{.state = fields[0][0],
              .parent = number<int>(fields[1]),
              .group = number<int>(fields[2]),
              .session = number<int>(fields[3]),
              .start_ticks = number<uint64_t>(fields[kStartTicks])};
}

Result<UniqueFd> open_child(int pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return std::unexpected(from_errno(errno, "pidfd_open " + std::to_string(pid)));
  return fd;
}

Result<UniqueFd> open_process(const Identity& identity, bool zombies) {
  if (identity.pid <= 1) {
    return fail(ErrorKind::NotFound, std::to_string(identity.pid) + " is no pid of ours");
  }
  auto fd = open_child(identity.pid);
  if (!fd) return fd;
  // Read after the pidfd is held: the start time then belongs to the process it refers to.
  const auto stat = read_stat(identity.pid);
  if (!stat) return std::unexpected(stat.error());
  const bool ended = !zombies && (stat->state == 'Z' || stat->state == 'X');
  if (ended || stat->start_ticks != identity.start_ticks) {
    return fail(ErrorKind::NotFound, "process " + std::to_string(identity.pid) + " has ended");
  }
  return fd;
}

bool send_signal(const UniqueFd& pidfd, int signal) noexcept {
  return pidfd && ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

std::vector<int> find_processes(const std::function<bool(int pid, const Stat&)>& matches) {
  std::vector<int> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return found;
  while (const dirent* entry = ::readdir(proc.get())) {
    const int pid = number<int>(entry->d_name);
    if (pid <= 1 || pid == ::getpid()) continue;
    const auto stat = read_stat(pid);
    if (stat && stat->state != 'Z' && stat->state != 'X' && matches(pid, *stat)) {
      found.push_back(pid);
    }
  }
  return found;
}

bool has_environment(int pid, std::string_view assignment, Match match) {
  const std::string block = slurp("/proc/" + std::to_string(pid) + "/environ");
  for (size_t at = 0; at < block.size();) {
    size_t end = block.find('\0', at);
    if (end == std::string::npos) end = block.size();
    const auto entry = std::string_view(block).substr(at, end - at);
    if (match == Match::Whole ? entry == assignment : entry.starts_with(assignment)) return true;
    at = end + 1;
  }
  return false;
}

int kill_processes(const std::function<bool(int pid, const Stat&)>& matches) {
  int killed = 0;
  for (int look = 0; look < 50; ++look) {
    // What was killed needs a moment to die.
    if (look > 0) ::poll(nullptr, 0, look);
    const auto pids = find_processes(matches);
    if (pids.empty()) break;
    for (const int pid : pids) {
      const auto fd = open_child(pid);
      if (!fd) continue;
      const auto stat = read_stat(pid);
      if (stat && matches(pid, *stat) && send_signal(*fd, SIGKILL)) ++killed;
    }
  }
  return killed;
}

}  // namespace atq::proc
