// What an earlier director left: found on disk by find_runs(), taken over by install().
#include <algorithm>
#include <charconv>

#include "src/agent/replica_folder.hpp"
#include "src/proc/files.hpp"
#include "src/proc/process.hpp"
#include "src/runtimes/process/busy.hpp"
#include "src/runtimes/process/runtime_impl.hpp"

namespace atq::process {
namespace fs = std::filesystem;
namespace {

std::optional<int64_t> run_number(const std::string& name) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = error == std::errc() && end == name.data() + name.size();
  if (!whole || number < 1 || std::to_string(number) != name) return std::nullopt;
  return number;
}

Result<FoundRun> find_run(const fs::path& data, const core::RunId& id) {
  FoundRun found;
  found.folder = folder_of(data, id);
  const auto text = proc::read_file(found.folder.record(), kMaxRecordBytes);
  if (!text) return std::unexpected(text.error());
  auto record = decode_run_record(*text);
  if (!record) return std::unexpected(record.error());
  if (record->id != id) return fail(ErrorKind::Invalid, "it is the record of another run");
  // A run whose spec cannot be read cannot be gone on with.
  if (auto frozen = api::decode_frozen(record->frozen); !frozen) {
    return std::unexpected(frozen.error());
  }
  found.record = std::move(*record);
  for (size_t i = 0; i < found.record.workers.size(); ++i) {
    found.workers.push_back(
        read_trace(found.folder.replica(core::Role::Worker, static_cast<int>(i))));
  }
  found.master = read_trace(found.folder.replica(core::Role::Master, 0));
  const fs::path checks = found.folder.checks();
  found.checks_exist = proc::exists(checks / "checks.json");
  found.checks_stopped = proc::exists(checks / "stopped");
  if (const auto prober = proc::read_file(checks / "prober.json", 64 * 1024)) {
    if (auto decoded = agent::decode_started(*prober)) found.prober = std::move(*decoded);
  }
  if (const auto collected = proc::read_file(found.folder.collected(), 64 * 1024)) {
    auto statement = decode_statement(*collected);
    found.collected = statement.has_value();
    if (statement) found.statement = std::move(*statement);
  }
  return found;
}

/// A run that nobody can go on with must not go on either.
void end_orphan(const fs::path& root, const Error& why, std::vector<std::string>& warnings) {
  const int killed = kill_run(root);
  std::string message = "orphaned run " + root.native() + " (" + why.message + ")";
  if (killed > 0) message += ", killed " + std::to_string(killed) + " of its processes";
  // Without a record it is what a crash in begin() or remove() left; a damaged one is kept for
  // people to look at.
  if (why.kind == ErrorKind::NotFound) {
    if (auto removed = proc::remove_tree(root); !removed) message += ", " + removed.error().message;
  }
  if (killed > 0 || why.kind != ErrorKind::NotFound) warnings.push_back(std::move(message));
}

}  // namespace

std::vector<FoundRun> find_runs(const fs::path& data, std::vector<std::string>& warnings) {
  std::vector<FoundRun> out;
  const auto uids = proc::list_folder(data / "runs");
  if (!uids) {
    warnings.push_back(uids.error().message);
    return out;
  }
  for (const auto& uid : *uids) {
    const auto numbers = proc::list_folder(data / "runs" / uid);
    if (!is_safe_name(uid) || !numbers) {
      warnings.push_back("passed over " + (data / "runs" / uid).native() + ": no folder of runs");
      continue;
    }
    for (const auto& name : *numbers) {
      const fs::path root = data / "runs" / uid / name;
      const auto number = run_number(name);
      std::error_code error;
      if (!number || fs::is_symlink(root, error) || !fs::is_directory(root, error)) {
        warnings.push_back("passed over " + root.native() + ": no folder of a run");
        continue;
      }
      auto found = find_run(data, {uid, *number});
      if (found) {
        out.push_back(std::move(*found));
      } else {
        end_orphan(root, found.error(), warnings);
      }
    }
    std::error_code error;
    fs::remove(data / "runs" / uid, error);  // only where it is empty
  }
  return out;
}

void ProcessRuntime::Impl::install(FoundRun found) {
  const auto run = std::make_shared<RunEntry>(loop_);
  run->record = std::move(found.record);
  run->folder = found.folder;
  run->collected = found.collected;
  run->statement = found.statement;
  auto frozen = api::decode_frozen(run->record.frozen);
  if (frozen) run->frozen = std::make_shared<const api::FrozenSpec>(std::move(*frozen));
  run->frozen_seen = run->frozen;
  run->record.frozen = {};
  keep_places(*run);
  const auto& id = run->record.id;
  runs_[id.uid][id.number] = run;
  for (size_t i = 0; i < run->record.workers.size(); ++i) {
    run->workers.push_back(ReplicaEntry{.role = core::Role::Worker, .index = static_cast<int>(i)});
  }
  if (run->record.master) run->master.emplace(ReplicaEntry{.role = core::Role::Master});
  renew_version(*run);
  for (size_t i = 0; i < run->workers.size(); ++i) {
    adopt_replica(run, run->workers[i], found.workers[i]);
  }
  if (run->master) {
    run->master->released = proc::exists(run->folder.released(core::Role::Master));
    adopt_replica(run, *run->master, found.master);
    // The director died between releasing the master and starting it.
    if (run->master->created && run->master->released && run->master->untouched()) {
      if (auto released = release_master(run); !released) warn(released.error().message);
    }
  } else if (proc::exists(run->folder.released(core::Role::Worker))) {
    if (auto released = release_workers(run); !released) warn(released.error().message);
  }
  adopt_prober(run, found);
  cool_down(*run);
  changed(*run);
}

void ProcessRuntime::Impl::renew_version(RunEntry& run) {
  const auto names = proc::list_folder(run.folder.root);
  if (!names) return;
  for (const auto role : {core::Role::Worker, core::Role::Master}) {
    const auto mine = run.folder.inert(role, version_);
    const std::string prefix = run.folder.inert(role, "").filename().native();
    for (const auto& name : *names) {
      if (name.starts_with(prefix)) ::rename((run.folder.root / name).c_str(), mine.c_str());
    }
  }
}

void ProcessRuntime::Impl::adopt_replica(const RunPtr& run, ReplicaEntry& replica,
                                         const Trace& trace) {
  replica.created = trace.created;
  replica.released = replica.released || trace.released || trace.started.has_value();
  replica.ready = trace.ready;
  replica.stop_asked = trace.stop_asked;
  replica.started = trace.started.has_value();
  replica.started_at_us = trace.started ? trace.started->at_us : 0;
  const auto& identity = trace.agent;
  if (identity && trace.alive && identity->boot_id == proc::boot_id()) {
    auto pidfd = proc::open_process({identity->pid, identity->start_ticks});
    if (pidfd) {
      if (auto watched = watch_folder(run, replica); !watched) warn(watched.error().message);
      watch_agent(run, replica, identity->pid, std::move(*pidfd));
      // What it wrote before the folder was watched.
      if (!trace.has_exit) {
        return spawn_task(settle(run, &replica, false, std::nullopt, std::nullopt));
      }
    }
  }
  if (trace.has_exit || (replica.started && !replica.agent)) {
    spawn_task(settle(run, &replica, !replica.agent, std::nullopt, std::nullopt));
  }
}

}  // namespace atq::process
