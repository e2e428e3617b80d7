#include <algorithm>
#include <fcntl.h>
#include <sys/inotify.h>

#include <boost/asio/post.hpp>

#include "src/agent/replica_folder.hpp"
#include "src/base/hash.hpp"
#include "src/base/text.hpp"
#include "src/proc/files.hpp"
#include "src/proc/process.hpp"
#include "src/runtimes/process/busy.hpp"
#include "src/runtimes/process/networks.hpp"
#include "src/runtimes/process/runtime_impl.hpp"

namespace atq::process {
namespace {

const api::RoleSpec& role_of(const api::FrozenSpec& frozen, core::Role role) {
  return role == core::Role::Master ? *frozen.spec.master : frozen.spec.worker.role;
}

proc::CgroupLimits limits_of(const api::RoleSpec& role) {
  const auto millis = [&role](const char* name) -> int64_t {
    const auto found = role.resources.limits.find(name);
    if (found == role.resources.limits.end()) return 0;
    return proc::parse_quantity_millis(found->second).value_or(0);
  };
  return {.memory_bytes = millis("memory") / 1000, .cpu_millis = millis("cpu")};
}

std::string label(const ReplicaEntry& replica) {
  return replica.role == core::Role::Master ? "master" : "worker " + std::to_string(replica.index);
}

}  // namespace

// ---- creation ----------------------------------------------------------------------------------

AsyncResult<void> ProcessRuntime::Impl::ensure_workers(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunPtr& run = *found;
  const auto pass = co_await Turnstile::enter(run->turnstile);
  const auto missing = [&run] {
    return std::any_of(run->workers.begin(), run->workers.end(),
                       [](const ReplicaEntry& worker) { return worker.untouched(); });
  };
  if (run->removed || !missing()) co_return Result<void>();
  const auto frozen = frozen_of(*run);
  if (!frozen) co_return std::unexpected(frozen.error());
  run->frozen = *frozen;
  const auto version = version_;
  std::vector<std::pair<int, agent::ReplicaSpec>> specs;
  for (const auto& worker : run->workers) {
    if (!worker.untouched()) continue;
    specs.emplace_back(worker.index,
                       replica_spec(context_of(*run, **frozen), core::Role::Worker, worker.index));
  }
  const auto folder = run->folder;
  const bool inert = !run->record.master;
  auto work = [folder, specs, inert, version]() -> Result<void> {
    const auto files = names_of_files(folder, core::Role::Worker);
    if (!files) return std::unexpected(files.error());
    for (const auto& [index, spec] : specs) {
      auto done = make_replica_folder(folder, core::Role::Worker, index, spec, *files);
      if (!done) return done;
    }
    if (!inert || proc::exists(folder.released(core::Role::Worker))) return {};
    auto token = proc::create_marker(folder.inert(core::Role::Worker, version));
    if (!token) return std::unexpected(token.error());
    return {};
  };
  auto made = co_await proc::offload(pool_, work);
  if (!made) co_return made;
  int spawned = 0;
  for (auto& worker : run->workers) {
    worker.created = true;
    if (!worker.untouched()) continue;
    if (auto launched = launch(run, worker); !launched) co_return launched;
    // Others get their turn while many are started.
    constexpr int kAtOnce = 8;
    if (++spawned % kAtOnce == 0) co_await boost::asio::post(loop_, boost::asio::use_awaitable);
    if (stopping_ || run->removed) co_return fail(ErrorKind::Canceled, "the director is stopping");
  }
  changed(*run);
  co_return Result<void>();
}

AsyncResult<void> ProcessRuntime::Impl::ensure_master(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunPtr& run = *found;
  const auto pass = co_await Turnstile::enter(run->turnstile);
  if (!run->master) co_return fail(ErrorKind::Invalid, "this run has no master");
  if (run->removed || run->master->exit) co_return Result<void>();
  if (run->master->created) {
    if (!run->master->released || !run->master->untouched()) co_return Result<void>();
    co_return release_master(run);
  }
  const auto frozen = frozen_of(*run);
  if (!frozen) co_return std::unexpected(frozen.error());
  const auto spec = replica_spec(context_of(*run, **frozen), core::Role::Master, 0);
  const auto folder = run->folder;
  const auto version = version_;
  auto work = [folder, spec, version]() -> Result<void> {
    if (!proc::exists(folder.released(core::Role::Master))) {
      auto token = proc::create_marker(folder.inert(core::Role::Master, version));
      if (!token) return std::unexpected(token.error());
    }
    const auto files = names_of_files(folder, core::Role::Master);
    if (!files) return std::unexpected(files.error());
    return make_replica_folder(folder, core::Role::Master, 0, spec, *files);
  };
  auto made = co_await proc::offload(pool_, work);
  if (!made) co_return made;
  run->master->created = true;
  changed(*run);
  co_return Result<void>();
}

// ---- release -----------------------------------------------------------------------------------

AsyncResult<void> ProcessRuntime::Impl::release(core::RunId id, core::Role role,
                                                std::string version) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunPtr& run = *found;
  const auto pass = co_await Turnstile::enter(run->turnstile);
  const bool created = role == core::Role::Master ? run->master && run->master->created
                                                  : !run->record.master && run->has_workers();
  if (!created) {
    co_return fail(ErrorKind::NotFound, "there is no inert " + std::string(core::to_string(role)) +
                                            " to release in this run");
  }
  const auto released = run->folder.released(role);
  if (!proc::exists(released)) {
    // The one rename that can succeed only once, and only for who knows the version.
    const auto inert = run->folder.inert(role, is_safe_name(version) ? version : "none");
    if (::rename(inert.c_str(), released.c_str()) != 0 && !proc::exists(released)) {
      co_return fail(ErrorKind::Conflict, "found version " + truncate(to_printable(version), 40) +
                                              ", the inert " + std::string(core::to_string(role)) +
                                              " has another");
    }
  }
  auto done = role == core::Role::Master ? release_master(run) : release_workers(run);
  changed(*run);
  co_return done;
}

Result<void> ProcessRuntime::Impl::release_master(const RunPtr& run) {
  run->master->released = true;
  const auto folder = run->folder.replica(core::Role::Master, 0);
  if (auto marked = proc::create_marker(folder / agent::kReleasedFile); !marked) {
    return std::unexpected(marked.error());
  }
  if (!run->master->untouched()) return {};
  const auto frozen = frozen_of(*run);
  if (!frozen) return std::unexpected(frozen.error());
  run->frozen = *frozen;
  return launch(run, *run->master);
}

Result<void> ProcessRuntime::Impl::release_workers(const RunPtr& run) {
  std::vector<std::filesystem::path> markers;
  for (const auto& worker : run->workers) {
    markers.push_back(run->folder.replica(core::Role::Worker, worker.index) / agent::kReleasedFile);
  }
  // Nothing else in this loop: the time it takes is the start skew.
  Result<void> done;
  for (const auto& marker : markers) {
    if (auto marked = proc::create_marker(marker); !marked) done = std::unexpected(marked.error());
  }
  for (auto& worker : run->workers) worker.released = true;
  return done;
}

// ---- agents ------------------------------------------------------------------------------------

std::string ProcessRuntime::Impl::cgroup_of(const RunEntry& run, const ReplicaEntry& replica,
                                            const api::FrozenSpec* frozen) const {
  if (frozen == nullptr || !limits_of(role_of(*frozen, replica.role)).any()) return {};
  return to_hex(fnv1a(run.folder.root.native())) + "-" +
         (replica.role == core::Role::Master ? "master" : "w" + std::to_string(replica.index));
}

const proc::Cgroups& ProcessRuntime::Impl::cgroups() {
  if (!cgroups_) cgroups_ = proc::Cgroups::detect();
  return *cgroups_;
}

Result<void> ProcessRuntime::Impl::launch(const RunPtr& run, ReplicaEntry& replica) {
  const auto folder = run->folder.replica(replica.role, replica.index);
  if (auto watched = watch_folder(run, replica); !watched) return watched;
  proc::SpawnSpec spec;
  spec.program = options_.agent_path;
  spec.arguments = {"exec", "--folder", folder.native()};
  if (options_.die_with_parent) {
    spec.arguments.insert(spec.arguments.end(), {"--parent", std::to_string(::getpid())});
  }
  spec.environment = inherited_environment();
  spec.environment["ATQ_OUT"] = (folder / "out").native();
  spec.output = folder / kAgentLogFile;
  if (const auto group = cgroup_of(*run, replica, run->frozen.get()); !group.empty()) {
    const auto limits = limits_of(role_of(*run->frozen, replica.role));
    const bool missing = (limits.memory_bytes > 0 && !cgroups().can_limit_memory()) ||
                         (limits.cpu_millis > 0 && !cgroups().can_limit_cpu());
    const auto made = cgroups().make(group, limits);
    if ((missing || !made) && !std::exchange(warned_of_limits_, true)) {
      warn("resource limits are not enforced: this user may not make control groups" +
           (made ? std::string() : " (" + made.error().message + ")"));
    }
    if (made) spec.cgroups = cgroups().joins(group);
  }
  if (run->record.network_namespaces) {
    spec.network_namespace = proc::network_namespace_path(
        network_name(options_.data_dir, run->record.id, replica.role, replica.index));
  }
  auto child = proc::spawn(spec);
  if (!child) {
    unwatch(replica);
    if (child.error().kind == ErrorKind::NotFound) child.error().kind = ErrorKind::Unavailable;
    return fail_with(label(replica), child.error());
  }
  watch_agent(run, replica, child->pid, std::move(child->pidfd));
  return {};
}

void ProcessRuntime::Impl::watch_agent(const RunPtr& run, ReplicaEntry& replica, int pid,
                                       proc::UniqueFd pidfd) {
  replica.agent_pid = pid;
  replica.agent = std::make_unique<proc::ProcessWatch>(
      loop_, std::move(pidfd), [this, weak = std::weak_ptr(run), entry = &replica] {
        if (const auto alive = weak.lock()) agent_ended(alive, *entry);
      });
}

Result<void> ProcessRuntime::Impl::watch_folder(const RunPtr& run, ReplicaEntry& replica) {
  if (replica.watch >= 0) return {};
  const auto watch = folders_->add(run->folder.replica(replica.role, replica.index),
                                   IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE);
  if (!watch) return std::unexpected(watch.error());
  replica.watch = *watch;
  watched_[*watch] = {run, &replica};
  return {};
}

void ProcessRuntime::Impl::unwatch(ReplicaEntry& replica) {
  if (replica.watch < 0) return;
  if (folders_) folders_->remove(replica.watch);
  watched_.erase(replica.watch);
  replica.watch = -1;
}

void ProcessRuntime::Impl::note_started(RunEntry& run, ReplicaEntry& replica) {
  const auto folder = run.folder.replica(replica.role, replica.index);
  const auto started = agent::read_started(folder.native());
  if (!started) return;
  replica.started = true;
  replica.released = true;
  replica.started_at_us = started->at_us;
}

void ProcessRuntime::Impl::replica_event(const RunPtr& run, ReplicaEntry& replica,
                                         std::string_view name) {
  if (name == agent::kExitFile) {
    return spawn_task(settle(run, &replica, false, std::nullopt, std::nullopt));
  }
  const bool was_started = replica.started;
  const bool was_ready = replica.ready;
  if (name == agent::kStartedFile) note_started(*run, replica);
  if (name == agent::kReadyFile) {
    replica.ready = true;
    if (!replica.started) note_started(*run, replica);
  }
  if (replica.started != was_started || replica.ready != was_ready) changed(*run);
}

void ProcessRuntime::Impl::agent_ended(const RunPtr& run, ReplicaEntry& replica) {
  const auto ended = proc::reap(replica.agent->pidfd());
  replica.agent.reset();
  replica.kill_timer.reset();
  if (replica.exit) {
    unwatch(replica);
    cool_down(*run);
    return changed(*run);
  }
  std::optional<int> code;
  if (ended) code = ended->code;
  spawn_task(settle(run, &replica, true, code, replica.agent_pid));
}

ExitContext ProcessRuntime::Impl::exit_context(const RunEntry& run, const ReplicaEntry& replica,
                                               const api::FrozenSpec* frozen) {
  ExitContext context{.folder = run.folder.replica(replica.role, replica.index),
                      .cgroup = cgroup_of(run, replica, frozen)};
  if (!context.cgroup.empty()) context.cgroups = cgroups();
  if (frozen == nullptr) return context;
  const bool master = replica.role == core::Role::Master;
  context.diagnoses = master ? frozen->master_diagnoses : frozen->worker_diagnoses;
  const auto& limits = role_of(*frozen, replica.role).resources.limits;
  if (const auto memory = limits.find("memory"); memory != limits.end()) {
    context.memory_limit = memory->second;
  }
  return context;
}

Task<void> ProcessRuntime::Impl::settle(RunPtr run, ReplicaEntry* replica, bool agent_gone,
                                        std::optional<int> agent_code, std::optional<int> session) {
  if (replica->exit) co_return;
  ++replica->settling;
  const auto frozen = frozen_of(*run);
  const auto context = exit_context(*run, *replica, frozen ? frozen->get() : nullptr);
  struct Ended {
    Result<core::Exit> exit = fail(ErrorKind::NotFound, "it runs");
    Trace trace;
  };
  auto work = [=]() -> Ended {
    Ended out;
    out.trace = read_trace(context.folder);
    if (!agent_gone) {
      out.exit = read_exit(context);
    } else if (out.trace.has_exit || !out.trace.alive) {
      out.exit = bury(context, agent_code, session);
    }
    return out;
  };
  Ended ended = co_await proc::offload(pool_, work);
  --replica->settling;
  if (stopping_ || run->removed || replica->exit) co_return;
  if (ended.trace.started) {
    replica->started = true;
    replica->started_at_us = ended.trace.started->at_us;
  }
  replica->ready = replica->ready || ended.trace.ready;
  if (ended.exit) {
    replica->exit = std::move(*ended.exit);
    if (!replica->agent) {
      unwatch(*replica);
      cool_down(*run);
    }
  } else if (agent_gone && ended.trace.alive && ended.trace.agent) {
    // The one we started was second; the first lives.
    adopt_replica(run, *replica, ended.trace);
  } else if (ended.exit.error().kind != ErrorKind::NotFound) {
    warn(label(*replica) + ": its end cannot be recorded: " + ended.exit.error().message);
  }
  changed(*run);
}

// ---- stop --------------------------------------------------------------------------------------

AsyncResult<void> ProcessRuntime::Impl::stop_role(core::RunId id, core::Role role,
                                                  core::StopMode mode, Duration grace) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunPtr& run = *found;
  const auto pass = co_await Turnstile::enter(run->turnstile);
  Result<void> done;
  for (auto* replica : run->replicas(role)) {
    if (!replica->exit && replica->agent) ask_to_stop(run, *replica, mode, grace);
    if (is_inert_master(*run, *replica)) done = co_await withdraw_master(run);
  }
  co_return done;
}

bool ProcessRuntime::Impl::is_inert_master(const RunEntry& run, const ReplicaEntry& replica) {
  return replica.role == core::Role::Master && replica.created && replica.untouched() &&
         !proc::exists(run.folder.released(core::Role::Master));
}

AsyncResult<void> ProcessRuntime::Impl::withdraw_master(RunPtr run) {
  // Without this file nobody can release it any more, also no director that decided to before.
  const auto inert = run->folder.inert(core::Role::Master, version_);
  if (::unlink(inert.c_str()) != 0 && errno != ENOENT) {
    co_return std::unexpected(from_errno(errno, "withdraw " + inert.native()));
  }
  const auto context = exit_context(*run, *run->master, nullptr);
  auto work = [context] { return withdraw(context); };
  auto exit = co_await proc::offload(pool_, work);
  if (!exit) co_return std::unexpected(exit.error());
  if (!run->master->exit) run->master->exit = std::move(*exit);
  cool_down(*run);
  changed(*run);
  co_return Result<void>();
}

void ProcessRuntime::Impl::ask_to_stop(const RunPtr& run, ReplicaEntry& replica,
                                       core::StopMode mode, Duration grace) {
  using std::chrono::seconds;
  const auto& pidfd = replica.agent->pidfd();
  if (mode == core::StopMode::Now) {
    proc::send_signal(pidfd, SIGUSR1);
    return arm_kill(run, replica, seconds(3));
  }
  // A second TERM would mean "now" to the agent, so the first is remembered across restarts.
  const auto marker = run->folder.replica(replica.role, replica.index) / kStopAskedFile;
  if (!replica.stop_asked && proc::create_marker(marker).value_or(true)) {
    proc::send_signal(pidfd, SIGTERM);
  }
  replica.stop_asked = true;
  if (!replica.kill_timer) arm_kill(run, replica, grace + seconds(5));
}

void ProcessRuntime::Impl::arm_kill(const RunPtr& run, ReplicaEntry& replica, Duration after) {
  replica.kill_timer = std::make_unique<boost::asio::steady_timer>(loop_, after);
  replica.kill_timer->async_wait(
      [weak = std::weak_ptr(run), entry = &replica](boost::system::error_code canceled) {
        const auto alive = weak.lock();
        if (canceled || !alive || !entry->agent) return;
        // Its end is then seen as any other, and what it leaves behind is killed by settle().
        proc::send_signal(entry->agent->pidfd(), SIGKILL);
      });
}

std::shared_ptr<std::vector<proc::UniqueFd>> ProcessRuntime::Impl::kill_everything(RunEntry& run) {
  auto ended = std::make_shared<std::vector<proc::UniqueFd>>();
  const auto kill = [&ended](std::unique_ptr<proc::ProcessWatch>& watch) {
    if (!watch) return;
    proc::send_signal(watch->pidfd(), SIGKILL);
    ended->emplace_back(::fcntl(watch->pidfd().get(), F_DUPFD_CLOEXEC, 0));
    watch.reset();
  };
  for (const auto role : {core::Role::Worker, core::Role::Master}) {
    for (auto* replica : run.replicas(role)) {
      kill(replica->agent);
      replica->kill_timer.reset();
    }
  }
  run.prober.retry.reset();
  run.prober.stopped = true;
  kill(run.prober.process);
  if (run.prober.watch >= 0) {
    folders_->remove(run.prober.watch);
    watched_.erase(run.prober.watch);
    run.prober.watch = -1;
  }
  return ended;
}

}  // namespace atq::process
