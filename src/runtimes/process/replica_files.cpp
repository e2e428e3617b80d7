#include "src/runtimes/process/replica_files.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/core/statement.hpp"
#include "src/agent/replica_folder.hpp"
#include "src/base/text.hpp"
#include "src/proc/files.hpp"
#include "src/proc/process.hpp"
#include "src/proc/spawn.hpp"

namespace atq::process {
namespace fs = std::filesystem;
namespace {

constexpr size_t kOutputBytes = 256 * 1024;
constexpr mode_t kReadOnly = 0444;

Result<void> check_name(const std::string& name) {
  const bool plain = !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
                     name.find('/') == std::string::npos && is_clean_utf8(name);
  if (plain) return {};
  return fail(ErrorKind::Invalid, "found file name \"" + truncate(to_printable(name), 80) +
                                      "\", expected a plain name without folders");
}

Result<void> place_file(const fs::path& folder, const ports::RunFile& file) {
  const fs::path target = folder / file.name;
  ::unlink(target.c_str());
  if (file.local_path.empty()) {
    return proc::write_atomic(target, file.content, proc::Durability::Plain, kReadOnly);
  }
  auto copied = proc::copy_file(file.local_path, target, kReadOnly);
  if (!copied) return fail_with("file " + file.name, copied.error());
  return copied;
}

/// A file of the role in a replica's data/: the same inode, as none of them may write it.
Result<void> link_file(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0 || errno == EEXIST) return {};
  // Too many links, or a file system without them.
  return proc::copy_file(from, to, kReadOnly);
}

core::Exit to_exit(const agent::ExitRecord& record, const ExitContext& context) {
  core::Exit exit;
  exit.code = record.code;
  exit.signal = record.signal;
  exit.at = TimePoint(Duration(record.at_us));
  exit.ran_for = Duration(record.ran_for_us);
  constexpr size_t kLines = 5, kLineBytes = 200;
  const size_t skip = record.last_lines.size() - std::min(record.last_lines.size(), kLines);
  for (size_t i = skip; i < record.last_lines.size(); ++i) {
    exit.last_lines.push_back(truncate(to_printable(record.last_lines[i]), kLineBytes));
  }
  if (!context.cgroup.empty() && context.cgroups.ran_out_of_memory(context.cgroup)) {
    exit.diagnosis = "out of memory (limit " + context.memory_limit + ")";
  } else if (!record.error.empty()) {
    exit.diagnosis = truncate(to_printable(record.error), 300);
  } else if (!context.diagnoses.empty()) {
    exit.diagnosis = core::diagnose(read_output(context.folder, kOutputBytes), context.diagnoses);
  }
  return exit;
}

int64_t now_us() {
  return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<std::string> last_lines_of(const fs::path& folder) {
  std::vector<std::string> out;
  for (const auto& line : split(read_output(folder, 4096), '\n')) {
    if (!line.empty()) out.push_back(truncate(to_printable(line), 200));
  }
  if (out.size() > 5) out.erase(out.begin(), out.end() - 5);
  return out;
}

/// What to write for an agent that ended without a word.
agent::ExitRecord tombstone(const fs::path& folder, std::optional<int> agent_code) {
  agent::ExitRecord record;
  record.at_us = now_us();
  if (const auto started = agent::read_started(folder.native())) {
    record.ran_for_us = std::max<int64_t>(0, record.at_us - started->at_us);
  }
  record.last_lines = last_lines_of(folder);
  if (agent_code && *agent_code < 128) {
    std::string words = proc::read_tail(folder / kAgentLogFile, 2048).value_or("");
    while (!words.empty() && words.back() == '\n') words.pop_back();
    const size_t line = words.rfind('\n');
    if (line != std::string::npos) words.erase(0, line + 1);
    record.code = agent::kCannotStart;
    record.error = "atq-agent exited " + std::to_string(*agent_code) + " without a record" +
                   (words.empty() ? "" : ": " + words);
    return record;
  }
  record.code = 128 + SIGKILL;
  record.signal = SIGKILL;
  record.error = "its agent was killed";
  return record;
}

}  // namespace

Result<void> place_files(const RunFolder& folder, const std::vector<ports::RunFile>& files,
                         bool with_master) {
  if (auto removed = proc::remove_tree(folder.root / "files"); !removed) return removed;
  for (const core::Role role : {core::Role::Worker, core::Role::Master}) {
    if (role == core::Role::Master && !with_master) break;
    const auto is_for = [role](const ports::RunFile& file) {
      return !file.role || *file.role == role;
    };
    if (std::ranges::none_of(files, is_for)) continue;
    if (auto made = proc::make_folders(folder.files(role)); !made) return made;
    // What is given for one role wins over what is given for both.
    for (const bool own : {false, true}) {
      for (const auto& file : files) {
        if (file.role.has_value() != own || (own && *file.role != role)) continue;
        if (auto named = check_name(file.name); !named) return named;
        if (auto placed = place_file(folder.files(role), file); !placed) return placed;
      }
    }
  }
  return {};
}

Result<std::vector<std::string>> names_of_files(const RunFolder& folder, core::Role role) {
  auto names = proc::list_folder(folder.files(role));
  if (!names && names.error().kind == ErrorKind::NotFound) return std::vector<std::string>();
  return names;
}

Result<void> make_replica_folder(const RunFolder& folder, core::Role role, int index,
                                 const agent::ReplicaSpec& spec,
                                 const std::vector<std::string>& files) {
  const fs::path root = folder.replica(role, index);
  for (const fs::path& path : {root, root / "data", root / "out"}) {
    if (auto made = proc::make_folders(path); !made) return made;
  }
  for (const auto& name : files) {
    if (auto linked = link_file(folder.files(role) / name, root / "data" / name); !linked) {
      return linked;
    }
  }
  if (proc::exists(root / agent::kReplicaFile)) return {};
  return agent::write_replica_spec(root.native(), spec);
}

Trace read_trace(const fs::path& folder) {
  Trace trace;
  const std::string& path = folder.native();
  trace.created = proc::exists(folder / agent::kReplicaFile);
  trace.released = agent::is_released(path);
  trace.ready = agent::is_ready(path);
  trace.stop_asked = proc::exists(folder / kStopAskedFile);
  trace.has_exit = proc::exists(folder / agent::kExitFile);
  if (auto started = agent::read_started(path)) trace.started = std::move(*started);
  // Between taking the lock and writing its name an agent needs microseconds.
  for (int look = 0; look < 100; ++look) {
    trace.alive = agent::is_alive(path);
    if (auto agent = agent::read_agent(path)) trace.agent = std::move(*agent);
    if (!trace.alive || (trace.agent && agent::is_running(*trace.agent))) break;
    ::poll(nullptr, 0, 5);
  }
  return trace;
}

Result<core::Exit> read_exit(const ExitContext& context) {
  auto record = agent::read_exit(context.folder.native());
  if (!record && record.error().kind == ErrorKind::NotFound) {
    return std::unexpected(record.error());
  }
  if (!record) {
    return to_exit({.code = 128 + SIGKILL,
                    .signal = SIGKILL,
                    .error = "its exit record is damaged: " + record.error().message,
                    .at_us = now_us()},
                   context);
  }
  return to_exit(*record, context);
}

Result<core::Exit> withdraw(const ExitContext& context) {
  agent::ExitRecord record;
  record.code = agent::kCannotStart;
  record.error = "stopped before it was released";
  record.at_us = now_us();
  const auto written = proc::write_once(context.folder / agent::kExitFile, agent::encode(record));
  if (!written) return std::unexpected(written.error());
  return read_exit(context);
}

Result<core::Exit> bury(const ExitContext& context, std::optional<int> agent_code,
                        std::optional<int> session) {
  if (auto exit = read_exit(context); exit || exit.error().kind != ErrorKind::NotFound) return exit;
  kill_leftovers(context.folder, session);
  if (!context.cgroup.empty()) context.cgroups.kill(context.cgroup);
  const auto written = proc::write_once(context.folder / agent::kExitFile,
                                        agent::encode(tombstone(context.folder, agent_code)));
  if (!written) return std::unexpected(written.error());
  return read_exit(context);
}

int kill_leftovers(const fs::path& folder, std::optional<int> session) {
  const std::string mark = "ATQ_OUT=" + (folder / "out").native();
  return proc::kill_processes([&mark, session](int pid, const proc::Stat& stat) {
    return (session && stat.session == *session) || proc::has_environment(pid, mark);
  });
}

int kill_run(const fs::path& run_folder) {
  const std::string mark = "ATQ_OUT=" + (run_folder / "").native();
  return proc::kill_processes([&mark](int pid, const proc::Stat&) {
    return proc::has_environment(pid, mark, proc::Match::Prefix);
  });
}

void wait_for_end(const std::vector<proc::UniqueFd>& pidfds) {
  for (const auto& pidfd : pidfds) {
    pollfd waiting{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, 5'000);
    proc::reap(pidfd);
  }
}

std::string read_output(const fs::path& folder, size_t max_bytes) {
  std::string out;
  for (const char* name : {agent::kStdoutFile, agent::kStderrFile}) {
    std::string tail = proc::read_tail(folder / name, max_bytes).value_or("");
    if (tail.size() < max_bytes) {
      const std::string rotated = std::string(name) + ".1";
      tail.insert(0, proc::read_tail(folder / rotated, max_bytes - tail.size()).value_or(""));
    }
    out += tail;
    if (!out.empty() && out.back() != '\n') out += '\n';
  }
  return out;
}

}  // namespace atq::process
