#pragma once
// Processes by identity, so that a pid used again by the system is never mistaken for ours.

#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/base/error.hpp"
#include "src/proc/fd.hpp"

namespace atq::proc {

/// What names one process on one machine since its boot.
struct Identity {
  int pid = 0;
  uint64_t start_ticks = 0;  ///< field 22 of /proc/PID/stat
  bool operator==(const Identity&) const = default;
};

/// /proc/sys/kernel/random/boot_id, read once; "" where there is none.
const std::string& boot_id();

/// A line of /proc/PID/stat. NotFound where there is no such process.
struct Stat {
  char state = '?';  ///< 'Z': ended, not yet reaped
  int parent = 0;
  int group = 0;
  int session = 0;
  uint64_t start_ticks = 0;
};
Result<Stat> read_stat(int pid);

/// A pidfd of exactly this process. NotFound where it has ended (a zombie counts as ended unless
/// `zombies`) or the pid is another's now.
Result<UniqueFd> open_process(const Identity& identity, bool zombies = false);

/// A pidfd of a child that has not been waited for.
Result<UniqueFd> open_child(int pid);

/// True where the signal was sent, false where the process had ended.
bool send_signal(const UniqueFd& pidfd, int signal) noexcept;

/// Pids of all processes for which `matches` holds; /proc is read once.
std::vector<int> find_processes(const std::function<bool(int pid, const Stat&)>& matches);

/// True where the process was started with this variable: "NAME=value", or one that begins so.
enum class Match { Whole, Prefix };
bool has_environment(int pid, std::string_view assignment, Match match = Match::Whole);

/// Kills (-9) every process for which `matches` holds, looking again until none is left or
/// 50 looks are done, as what is killed may have just forked. Gives how many were killed.
int kill_processes(const std::function<bool(int pid, const Stat&)>& matches);

}  // namespace atq::proc
