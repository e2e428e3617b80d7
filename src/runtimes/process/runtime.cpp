#include <algorithm>
#include <sys/inotify.h>
#include <sys/random.h>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/base/hash.hpp"
#include "src/proc/files.hpp"
#include "src/runtimes/process/busy.hpp"
#include "src/runtimes/process/networks.hpp"
#include "src/runtimes/process/runtime_impl.hpp"

namespace atq::process {
namespace {

std::string fresh_version() {
  uint64_t value = 0;
  if (::getrandom(&value, sizeof(value), 0) != sizeof(value)) {
    value = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return to_hex(value);
}

bool is_over(const FoundRun& run) {
  const bool workers = std::all_of(run.workers.begin(), run.workers.end(),
                                   [](const Trace& worker) { return worker.has_exit; });
  return workers && (!run.record.master || run.master.has_exit);
}

void repair_networks(const std::filesystem::path& data, const std::string& hub,
                     const std::vector<FoundRun>& runs, std::vector<std::string>& warnings) {
  std::vector<core::RunId> ids;
  for (const auto& run : runs) ids.push_back(run.record.id);
  if (auto swept = sweep_networks(data, ids); !swept) warnings.push_back(swept.error().message);
  for (const auto& run : runs) {
    if (is_over(run)) continue;
    auto restored = restore_networks(data, run.record, hub);
    if (!restored) warnings.push_back(run.folder.root.native() + ": " + restored.error().message);
  }
}

}  // namespace

ProcessRuntime::Impl::Impl(boost::asio::io_context& loop, Options options)
    : options_(std::move(options)), loop_(loop), version_(fresh_version()) {}

AsyncResult<void> ProcessRuntime::Impl::start() {
  const Busy busy(*this);
  const auto self = shared_from_this();
  const auto block = proc::parse_loopback_block(options_.address_block);
  if (!block) co_return fail_with("address block", block.error());
  block_ = *block;
  addresses_ = proc::AddressPool(block_);
  auto folders = proc::FolderWatch::open(
      loop_, [this](int watch, std::string_view name, uint32_t) { on_folder_event(watch, name); });
  if (!folders) co_return std::unexpected(folders.error());
  folders_ = std::move(*folders);
  std::error_code error;
  options_.data_dir = std::filesystem::absolute(options_.data_dir, error);
  if (auto made = proc::make_folders(options_.data_dir / "runs"); !made) co_return made;
  auto warnings = std::make_shared<std::vector<std::string>>();
  const auto data = options_.data_dir;
  const auto hub = hub_of(block_);
  auto work = [data, hub, warnings] {
    auto runs = find_runs(data, *warnings);
    repair_networks(data, hub, runs, *warnings);
    return runs;
  };
  auto found = co_await proc::offload(pool_, work);
  for (const auto& warning : *warnings) warn(warning);
  for (auto& run : found) install(std::move(run));
  co_return Result<void>();
}

Task<void> ProcessRuntime::Impl::stop() {
  const auto self = shared_from_this();
  stopping_ = true;
  for (auto& [uid, numbers] : runs_) {
    for (auto& [number, run] : numbers) {
      run->closed = true;
      for (const auto& tell : run->listeners) tell();
      run->prober.retry.reset();
      run->prober.process.reset();
      for (const auto role : {core::Role::Worker, core::Role::Master}) {
        for (auto* replica : run->replicas(role)) {
          replica->agent.reset();
          replica->kill_timer.reset();
        }
      }
    }
  }
  watched_.clear();
  folders_.reset();
  while (busy_ > 0) {
    idle_ = std::make_unique<boost::asio::steady_timer>(
        loop_, boost::asio::steady_timer::time_point::max());
    boost::system::error_code canceled;
    co_await idle_->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, canceled));
  }
}

Result<std::vector<core::ObservedRun>> ProcessRuntime::Impl::observe(const std::string& uid) {
  std::vector<core::ObservedRun> out;
  const auto found = runs_.find(uid);
  if (found == runs_.end()) return out;
  for (const auto& [number, run] : found->second) {
    FrozenPtr frozen = run->frozen;
    if (!frozen && run->prober.exists) {
      auto read = frozen_of(*run);
      if (!read) return std::unexpected(read.error());
      frozen = *read;
    }
    out.push_back(observe_run(*run, frozen.get(), version_));
  }
  return out;
}

std::vector<ports::KnownRun> ProcessRuntime::Impl::known_runs() {
  std::vector<ports::KnownRun> out;
  for (const auto& [uid, numbers] : runs_) {
    for (const auto& [number, run] : numbers) {
      auto frozen = frozen_of(*run);
      if (!frozen) warn(frozen.error().message);
      if (frozen) out.push_back({run->record.id, run->record.key, *frozen});
    }
  }
  return out;
}

RunPtr ProcessRuntime::Impl::find(const core::RunId& id) const {
  const auto uid = runs_.find(id.uid);
  if (uid == runs_.end()) return nullptr;
  const auto run = uid->second.find(id.number);
  return run == uid->second.end() ? nullptr : run->second;
}

Result<RunPtr> ProcessRuntime::Impl::require(const core::RunId& id) const {
  if (stopping_) return fail(ErrorKind::Canceled, "the process runtime is stopping");
  if (auto run = find(id)) return run;
  return fail(ErrorKind::NotFound, "no run " + std::to_string(id.number) + " of " + id.uid +
                                       " in " + options_.data_dir.native());
}

Result<FrozenPtr> ProcessRuntime::Impl::frozen_of(RunEntry& run) {
  if (run.frozen) return run.frozen;
  if (auto seen = run.frozen_seen.lock()) return seen;
  const auto text = proc::read_file(run.folder.record(), kMaxRecordBytes);
  if (!text) return std::unexpected(text.error());
  const auto record = decode_run_record(*text);
  if (!record) return fail_with(run.folder.record().native(), record.error());
  auto frozen = api::decode_frozen(record->frozen);
  if (!frozen) return fail_with(run.folder.record().native(), frozen.error());
  auto shared = std::make_shared<const api::FrozenSpec>(std::move(*frozen));
  run.frozen_seen = shared;
  return shared;
}

LaunchContext ProcessRuntime::Impl::context_of(const RunEntry& run,
                                               const api::FrozenSpec& frozen) const {
  return {.frozen = frozen,
          .record = run.record,
          .folder = run.folder,
          .inherited = inherited_environment(),
          .die_with_parent = options_.die_with_parent};
}

void ProcessRuntime::Impl::changed(const RunEntry& run) {
  for (const auto& tell : run.listeners) tell();
  if (on_change_ && !stopping_) on_change_(run.record.id.uid);
}

void ProcessRuntime::Impl::warn(const std::string& message) const {
  if (options_.warn) options_.warn(message);
}

void ProcessRuntime::Impl::spawn_task(Task<void> task) {
  auto busy = std::make_shared<Busy>(*this);
  boost::asio::co_spawn(loop_, std::move(task),
                        [self = shared_from_this(), busy](std::exception_ptr error) {
                          if (error) std::rethrow_exception(error);
                        });
}

void ProcessRuntime::Impl::on_folder_event(int watch, std::string_view name) {
  if (watch < 0) return look_everywhere();
  const auto found = watched_.find(watch);
  if (found == watched_.end()) return;
  const auto run = found->second.run.lock();
  if (!run) return;
  if (found->second.replica == nullptr) {
    if (name == "report.jsonl") read_report(run);
  } else {
    replica_event(run, *found->second.replica, name);
  }
}

void ProcessRuntime::Impl::look_everywhere() {
  const auto watched = watched_;
  for (const auto& [watch, what] : watched) {
    const auto run = what.run.lock();
    if (!run) continue;
    if (what.replica == nullptr) {
      read_report(run);
      continue;
    }
    for (const char* name : {"agent.lock", "started", "ready", "exit.json"}) {
      if (proc::exists(run->folder.replica(what.replica->role, what.replica->index) / name)) {
        replica_event(run, *what.replica, name);
      }
    }
  }
}

void ProcessRuntime::Impl::cool_down(RunEntry& run) {
  if (!run.all_over() || !run.has_workers()) return;
  // A master may still come.
  if (run.record.master && !(run.master && run.master->exit)) return;
  run.frozen.reset();
  free_places(run);
}

// ---- the public face ---------------------------------------------------------------------------

ProcessRuntime::ProcessRuntime(boost::asio::io_context& loop, Options options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {}
ProcessRuntime::~ProcessRuntime() = default;

std::string ProcessRuntime::name() const { return impl_->options_.name; }

core::Capabilities ProcessRuntime::capabilities() const {
  return {.finalizers = false, .garbage_collection = false, .runtime_name = name()};
}

AsyncResult<void> ProcessRuntime::start() { return impl_->start(); }
Task<void> ProcessRuntime::stop() { return impl_->stop(); }
void ProcessRuntime::on_change(std::function<void(const std::string& uid)> callback) {
  impl_->on_change_ = std::move(callback);
}
AsyncResult<std::vector<core::ObservedRun>> ProcessRuntime::observe(const std::string& uid) {
  co_return impl_->observe(uid);
}
std::vector<ports::KnownRun> ProcessRuntime::known_runs() { return impl_->known_runs(); }
AsyncResult<void> ProcessRuntime::begin(const ports::RunStart& start) {
  return impl_->begin(start);
}
AsyncResult<void> ProcessRuntime::ensure_workers(const core::RunId& run) {
  return impl_->ensure_workers(run);
}
AsyncResult<void> ProcessRuntime::ensure_checks(const core::RunId& run) {
  return impl_->ensure_checks(run);
}
AsyncResult<void> ProcessRuntime::ensure_master(const core::RunId& run) {
  return impl_->ensure_master(run);
}
AsyncResult<void> ProcessRuntime::release(const core::RunId& run, core::Role role,
                                          const std::string& version) {
  return impl_->release(run, role, version);
}
AsyncResult<void> ProcessRuntime::stop_checks(const core::RunId& run) {
  return impl_->stop_checks(run);
}
AsyncResult<void> ProcessRuntime::stop_role(const core::RunId& run, core::Role role,
                                            core::StopMode mode, Duration grace) {
  return impl_->stop_role(run, role, mode, grace);
}
AsyncResult<void> ProcessRuntime::collect(const core::RunId& run) { return impl_->collect(run); }
AsyncResult<void> ProcessRuntime::remove(const core::RunId& run) { return impl_->remove(run); }
AsyncResult<void> ProcessRuntime::logs(const core::RunId& run, const ports::LogOptions& options,
                                       LogWriter write) {
  return impl_->logs(run, options, std::move(write));
}

}  // namespace atq::process
