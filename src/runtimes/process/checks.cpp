#include <algorithm>
#include <array>
#include <chrono>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include "src/agent/protocol.hpp"
#include "src/base/text.hpp"
#include "src/proc/files.hpp"
#include "src/proc/process.hpp"
#include "src/runtimes/process/busy.hpp"
#include "src/runtimes/process/runtime_impl.hpp"

namespace atq::process {
namespace {

constexpr char kSpecFile[] = "checks.json";
constexpr char kReportFile[] = "report.jsonl";
constexpr char kProberFile[] = "prober.json";
constexpr char kStoppedFile[] = "stopped";
constexpr size_t kMaxLine = 64 * 1024;

/// Who the prober is, for a later director.
agent::Started describe(int pid) {
  const auto stat = proc::read_stat(pid);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {.pid = pid,
          .start_ticks = stat ? stat->start_ticks : 0,
          .boot_id = proc::boot_id(),
          .at_us = std::chrono::duration_cast<Duration>(now).count()};
}

}  // namespace

AsyncResult<void> ProcessRuntime::Impl::ensure_checks(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunPtr& run = *found;
  const auto pass = co_await Turnstile::enter(run->turnstile);
  if (run->removed || run->prober.stopped) co_return Result<void>();
  if (run->prober.exists && (run->prober.process || run->prober.retry || !checks_wanted(*run))) {
    co_return Result<void>();
  }
  const auto frozen = frozen_of(*run);
  if (!frozen) co_return std::unexpected(frozen.error());
  const auto targets = probe_targets(context_of(*run, **frozen));
  const auto folder = run->folder.checks();
  const auto files = run->folder.files(core::Role::Worker);
  auto work = [folder, files, targets]() -> Result<void> {
    // ATQ_OUT and ATQ_DATA of an exec check.
    for (const auto& path : {folder / "out", files}) {
      if (auto made = proc::make_folders(path); !made) return made;
    }
    if (proc::exists(folder / kSpecFile)) return {};
    return proc::write_atomic(folder / kSpecFile, agent::encode(targets));
  };
  auto written = co_await proc::offload(pool_, work);
  if (!written) co_return written;
  run->prober.exists = true;
  changed(*run);
  if (targets.empty()) co_return Result<void>();
  co_return launch_prober(run);
}

bool ProcessRuntime::Impl::checks_wanted(const RunEntry& run) const {
  if (run.prober.stopped || run.removed) return false;
  const auto passed = std::count_if(run.prober.results.begin(), run.prober.results.end(),
                                    [](const auto& entry) { return entry.second.passed; });
  const size_t checks = run.frozen ? run.frozen->spec.health_check.checks.size() : 0;
  return static_cast<size_t>(passed) < checks * run.workers.size();
}

Result<void> ProcessRuntime::Impl::launch_prober(const RunPtr& run) {
  const auto folder = run->folder.checks();
  if (auto watched = watch_report(run); !watched) return watched;
  proc::SpawnSpec spec;
  spec.program = options_.agent_path;
  spec.arguments = {"probe", "--spec", (folder / kSpecFile).native(), "--report",
                    (folder / kReportFile).native()};
  if (options_.die_with_parent) {
    spec.arguments.insert(spec.arguments.end(), {"--parent", std::to_string(::getpid())});
  }
  spec.environment = inherited_environment();
  spec.environment["ATQ_OUT"] = (folder / "out").native();
  spec.output = folder / kAgentLogFile;
  auto child = proc::spawn(spec);
  if (!child) {
    if (child.error().kind == ErrorKind::NotFound) child.error().kind = ErrorKind::Unavailable;
    return fail_with("health checks", child.error());
  }
  auto noted = proc::write_atomic(folder / kProberFile, agent::encode(describe(child->pid)));
  if (!noted) warn("health checks: " + noted.error().message);
  watch_prober(run, std::move(child->pidfd));
  return {};
}

void ProcessRuntime::Impl::watch_prober(const RunPtr& run, proc::UniqueFd pidfd) {
  run->prober.process = std::make_unique<proc::ProcessWatch>(loop_, std::move(pidfd),
                                                             [this, weak = std::weak_ptr(run)] {
                                                               if (const auto alive = weak.lock())
                                                                 prober_ended(alive);
                                                             });
}

void ProcessRuntime::Impl::prober_ended(const RunPtr& run) {
  proc::reap(run->prober.process->pidfd());
  run->prober.process.reset();
  read_report(run);
  if (!checks_wanted(*run) || stopping_) return;
  // It was killed, or could not work: again, with growing pauses.
  constexpr int kMaxDoublings = 5;
  const int doublings = std::min(run->prober.failures++, kMaxDoublings);
  run->prober.retry = std::make_unique<boost::asio::steady_timer>(
      loop_, std::chrono::milliseconds(200) * (1 << doublings));
  run->prober.retry->async_wait(
      [this, weak = std::weak_ptr(run)](boost::system::error_code canceled) {
        const auto alive = weak.lock();
        if (canceled || !alive || !checks_wanted(*alive)) return;
        alive->prober.retry.reset();
        if (auto launched = launch_prober(alive); !launched) warn(launched.error().message);
        changed(*alive);
      });
}

Result<void> ProcessRuntime::Impl::watch_report(const RunPtr& run) {
  if (run->prober.watch >= 0) return {};
  const auto watch = folders_->add(run->folder.checks(), IN_MODIFY | IN_CREATE);
  if (!watch) return std::unexpected(watch.error());
  run->prober.watch = *watch;
  watched_[*watch] = {run, nullptr};
  return {};
}

void ProcessRuntime::Impl::read_report(const RunPtr& run) {
  auto& prober = run->prober;
  const auto path = run->folder.checks() / kReportFile;
  const proc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return;
  std::array<char, 64 * 1024> buffer;
  const ssize_t got =
      ::pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(prober.offset));
  if (got <= 0) return;
  prober.offset += static_cast<uint64_t>(got);
  prober.partial.append(buffer.data(), static_cast<size_t>(got));
  bool news = false;
  for (size_t end; (end = prober.partial.find('\n')) != std::string::npos;) {
    const auto report = agent::decode_check_report(prober.partial.substr(0, end));
    prober.partial.erase(0, end + 1);
    const bool ours =
        report && report->worker >= 0 && static_cast<size_t>(report->worker) < run->workers.size();
    if (!ours) continue;
    auto& result = prober.results[{report->name, report->worker}];
    const bool passed = result.passed || report->passed;
    result = {.name = report->name,
              .worker = report->worker,
              .passed = passed,
              .tries = report->tries,
              .last_error = passed ? "" : truncate(to_printable(report->error), 300)};
    news = true;
  }
  if (prober.partial.size() > kMaxLine) prober.partial.clear();
  // Bounded work at a time; the rest at the loop's next turn.
  if (static_cast<size_t>(got) == buffer.size()) {
    boost::asio::post(loop_, [self = shared_from_this(), run] { self->read_report(run); });
  }
  if (news) changed(*run);
}

AsyncResult<void> ProcessRuntime::Impl::stop_checks(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunPtr& run = *found;
  const auto pass = co_await Turnstile::enter(run->turnstile);
  if (run->removed || !run->prober.exists || run->prober.stopped) co_return Result<void>();
  auto marked = proc::create_marker(run->folder.checks() / kStoppedFile);
  if (!marked) co_return std::unexpected(marked.error());
  run->prober.stopped = true;
  run->prober.retry.reset();
  if (run->prober.process) proc::send_signal(run->prober.process->pidfd(), SIGTERM);
  if (run->prober.watch >= 0) {
    folders_->remove(run->prober.watch);
    watched_.erase(run->prober.watch);
    run->prober.watch = -1;
  }
  changed(*run);
  co_return Result<void>();
}

void ProcessRuntime::Impl::adopt_prober(const RunPtr& run, const FoundRun& found) {
  run->prober.exists = found.checks_exist;
  run->prober.stopped = found.checks_stopped;
  if (!found.checks_exist) return;
  read_report(run);
  if (found.prober && found.prober->boot_id == proc::boot_id()) {
    auto pidfd = proc::open_process({found.prober->pid, found.prober->start_ticks});
    if (pidfd && found.checks_stopped) {
      proc::send_signal(*pidfd, SIGTERM);
    } else if (pidfd) {
      if (auto watched = watch_report(run); !watched) warn(watched.error().message);
      return watch_prober(run, std::move(*pidfd));
    }
  }
  const bool alive = std::any_of(run->workers.begin(), run->workers.end(),
                                 [](const ReplicaEntry& worker) { return bool(worker.agent); });
  if (!alive || !checks_wanted(*run)) return;
  if (auto launched = launch_prober(run); !launched) warn(launched.error().message);
}

}  // namespace atq::process
