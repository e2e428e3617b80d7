#include "src/agent/replica_folder.hpp"

#include <charconv>
#include <unistd.h>

#include "src/agent/files.hpp"
#include "src/base/text.hpp"

namespace atq::agent {
namespace {

std::string path_of(const std::string& folder, const char* file) { return folder + "/" + file; }

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string boot_id() {
  auto text = read_whole("/proc/sys/kernel/random/boot_id", 128);
  if (!text) return {};
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

/// Field 22 of /proc/PID/stat; 0 where there is no such process. The name in field 2 may hold
/// blanks and brackets, so counting starts after its last bracket.
uint64_t start_ticks(int pid) {
  const auto stat = read_whole("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return 0;
  const size_t bracket = stat->rfind(')');
  if (bracket == std::string::npos) return 0;
  constexpr size_t kStateField = 3, kStartField = 22;
  const auto fields = split(std::string_view(*stat).substr(bracket + 2), ' ');
  if (fields.size() <= kStartField - kStateField) return 0;
  const std::string& text = fields[kStartField - kStateField];
  uint64_t ticks = 0;
  std::from_chars(text.data(), text.data() + text.size(), ticks);
  return ticks;
}

template <class Value>
Result<Value> read_as(const std::string& folder, const char* file,
                      Result<Value> (*decode)(std::string_view)) {
  const std::string path = path_of(folder, file);
  const auto text = read_whole(path, kMaxFileBytes);
  if (!text) return std::unexpected(text.error());
  auto value = decode(*text);
  if (!value) return fail_with(path, value.error());
  return value;
}

}  // namespace

Result<void> write_replica_spec(const std::string& folder, const ReplicaSpec& spec) {
  return write_by_rename(path_of(folder, kReplicaFile), encode(spec), false);
}

Result<ReplicaSpec> read_replica_spec(const std::string& folder) {
  return read_as(folder, kReplicaFile, &decode_replica_spec);
}

Result<void> release(const std::string& folder) {
  auto created = create_exclusive(path_of(folder, kReleasedFile), "");
  if (!created && created.error().kind != ErrorKind::Conflict) return created;
  return {};
}

bool is_released(const std::string& folder) { return exists(path_of(folder, kReleasedFile)); }

bool is_alive(const std::string& folder) { return is_locked(path_of(folder, kLockFile)); }

Result<Started> read_agent(const std::string& folder) {
  return read_as(folder, kLockFile, &decode_started);
}

Result<Started> read_started(const std::string& folder) {
  return read_as(folder, kStartedFile, &decode_started);
}

bool is_ready(const std::string& folder) { return exists(path_of(folder, kReadyFile)); }

Result<ExitRecord> read_exit(const std::string& folder) {
  return read_as(folder, kExitFile, &decode_exit_record);
}

bool is_running(const Started& started) {
  return started.pid > 0 && started.start_ticks != 0 &&
         start_ticks(started.pid) == started.start_ticks && boot_id() == started.boot_id;
}

Started describe_self(int64_t at_us) {
  const int pid = ::getpid();
  return {.pid = pid, .start_ticks = start_ticks(pid), .boot_id = boot_id(), .at_us = at_us};
}

}  // namespace atq::agent
