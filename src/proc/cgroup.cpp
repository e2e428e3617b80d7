#include "src/proc/cgroup.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "src/base/text.hpp"
#include "src/proc/fd.hpp"

namespace atq::proc {
namespace fs = std::filesystem;
namespace {

std::string slurp(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool put(const fs::path& path, const std::string& value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

bool has_word(std::string_view text, std::string_view word) {
  std::istringstream words{std::string(text)};
  for (std::string found; words >> found;) {
    if (found == word) return true;
  }
  return false;
}

bool make_folder(const fs::path& path) {
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

struct Mounts {
  fs::path unified, memory, cpu;
};

Mounts find_mounts() {
  Mounts found;
  std::ifstream lines("/proc/self/mounts");
  for (std::string line; std::getline(lines, line);) {
    const auto fields = split(line, ' ');
    if (fields.size() < 4) continue;
    if (fields[2] == "cgroup2" && found.unified.empty()) found.unified = fields[1];
    if (fields[2] != "cgroup") continue;
    for (const auto& option : split(fields[3], ',')) {
      if (option == "memory") found.memory = fields[1];
      if (option == "cpu") found.cpu = fields[1];
    }
  }
  return found;
}

/// The common parent in a version 1 hierarchy; "" where it may not be made.
fs::path parent_in(const fs::path& mount) {
  if (mount.empty() || !make_folder(mount / "atq")) return {};
  return ::access((mount / "atq").c_str(), W_OK) == 0 ? mount / "atq" : fs::path();
}

int64_t counter(const fs::path& file, std::string_view name) {
  std::istringstream lines(slurp(file));
  std::string key;
  for (int64_t value = 0; lines >> key >> value;) {
    if (key == name) return value;
  }
  return 0;
}

}  // namespace

Cgroups Cgroups::detect() {
  const Mounts mounts = find_mounts();
  Cgroups made;
  const std::string controllers = slurp(mounts.unified / "cgroup.controllers");
  if (!mounts.unified.empty() && has_word(controllers, "memory")) {
    const fs::path parent = parent_in(mounts.unified);
    if (parent.empty()) return made;
    put(mounts.unified / "cgroup.subtree_control", "+memory +cpu");
    put(parent / "cgroup.subtree_control", "+memory +cpu");
    const std::string enabled = slurp(parent / "cgroup.subtree_control");
    made.unified_ = true;
    if (has_word(enabled, "memory")) made.memory_ = parent;
    if (has_word(enabled, "cpu")) made.cpu_ = parent;
    return made;
  }
  made.memory_ = parent_in(mounts.memory);
  made.cpu_ = parent_in(mounts.cpu);
  return made;
}

std::vector<fs::path> Cgroups::folders(const std::string& name) const {
  std::vector<fs::path> out;
  if (!memory_.empty()) out.push_back(memory_ / name);
  if (!cpu_.empty() && cpu_ != memory_) out.push_back(cpu_ / name);
  return out;
}

Result<void> Cgroups::make(const std::string& name, const CgroupLimits& limits) const {
  for (const auto& folder : folders(name)) {
    if (!make_folder(folder)) {
      return std::unexpected(from_errno(errno, "create control group " + folder.native()));
    }
  }
  constexpr int64_t kPeriodUs = 100'000;
  const std::string quota = std::to_string(limits.cpu_millis * kPeriodUs / 1000);
  bool done = true;
  if (limits.memory_bytes > 0 && can_limit_memory()) {
    const std::string bytes = std::to_string(limits.memory_bytes);
    done = put(memory_ / name / (unified_ ? "memory.max" : "memory.limit_in_bytes"), bytes);
    if (unified_) put(memory_ / name / "memory.swap.max", "0");
  }
  if (done && limits.cpu_millis > 0 && can_limit_cpu()) {
    done = unified_ ? put(cpu_ / name / "cpu.max", quota + " " + std::to_string(kPeriodUs))
                    : put(cpu_ / name / "cpu.cfs_period_us", std::to_string(kPeriodUs)) &&
                          put(cpu_ / name / "cpu.cfs_quota_us", quota);
  }
  if (!done) return std::unexpected(from_errno(errno, "set the limits of control group " + name));
  return {};
}

std::vector<fs::path> Cgroups::joins(const std::string& name) const {
  std::vector<fs::path> out;
  for (const auto& folder : folders(name)) out.push_back(folder / "cgroup.procs");
  return out;
}

bool Cgroups::ran_out_of_memory(const std::string& name) const {
  if (!can_limit_memory()) return false;
  return counter(memory_ / name / (unified_ ? "memory.events" : "memory.oom_control"), "oom_kill") >
         0;
}

void Cgroups::kill(const std::string& name) const {
  for (const auto& folder : folders(name)) {
    if (put(folder / "cgroup.kill", "1")) continue;
    std::istringstream pids(slurp(folder / "cgroup.procs"));
    for (int pid = 0; pids >> pid;) {
      if (pid > 1) ::kill(pid, SIGKILL);
    }
  }
}

void Cgroups::remove(const std::string& name) const {
  for (const auto& folder : folders(name)) {
    // A killed process leaves its group when it has exited; version 1 has no event for that.
    for (int look = 0; look < 200; ++look) {
      if (::rmdir(folder.c_str()) == 0 || errno != EBUSY) break;
      kill(name);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

Result<int64_t> parse_quantity_millis(std::string_view text) {
  struct Suffix {
    std::string_view name;
    double factor;
  };
  static constexpr std::array<Suffix, 14> kSuffixes{{{"", 1},
                                                     {"m", 1e-3},
                                                     {"k", 1e3},
                                                     {"M", 1e6},
                                                     {"G", 1e9},
                                                     {"T", 1e12},
                                                     {"P", 1e15},
                                                     {"Ki", 0x1p10},
                                                     {"Mi", 0x1p20},
                                                     {"Gi", 0x1p30},
                                                     {"Ti", 0x1p40},
                                                     {"Pi", 0x1p50},
                                                     {"u", 1e-6},
                                                     {"n", 1e-9}}};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const auto& suffix : kSuffixes) {
    if (error != std::errc() || rest != suffix.name) continue;
    const double millis = std::ceil(value * suffix.factor * 1000);
    if (value >= 0 && millis < 9e18) return static_cast<int64_t>(millis);
  }
  return fail(ErrorKind::Invalid, "found quantity \"" + truncate(to_printable(text), 40) +
                                      "\", expected one such as 500m or 64Mi");
}

}  // namespace atq::proc
