#include "tests/fakes/fake_runtime.hpp"

#include <boost/asio/post.hpp>

namespace atq::fakes {

using core::ReplicaState;
using core::Role;
using core::RunId;

namespace {

bool is_live(const core::Replica& replica) {
  return replica.state == ReplicaState::Starting || replica.state == ReplicaState::Running;
}

}  // namespace

FakeRuntime::FakeRuntime(boost::asio::io_context& io, const ports::Clock& clock,
                         FakeRuntimeOptions options)
    : io_(io), clock_(clock), options_(options), unhang_(io) {}

core::Capabilities FakeRuntime::capabilities() const {
  return {.finalizers = false,
          .garbage_collection = options_.garbage_collection,
          .runtime_name = "fake"};
}

AsyncResult<void> FakeRuntime::start() {
  ++calls_["start"];
  if (auto fault = due_fault("start", false); !fault) {
    co_return fault;
  }
  for (auto& [id, run] : runs_) {
    bump(run);  // a new director rewrites the inert: an older one's release fails
  }
  co_return Result<void>{};
}

Task<void> FakeRuntime::stop() {
  on_change_ = nullptr;
  co_return;
}

void FakeRuntime::on_change(std::function<void(const std::string&)> callback) {
  on_change_ = std::move(callback);
}

AsyncResult<std::vector<core::ObservedRun>> FakeRuntime::observe(const std::string& uid) {
  ++calls_["observe"];
  if (auto fault = due_fault("observe", false); !fault) {
    co_return std::unexpected(fault.error());
  }
  std::vector<core::ObservedRun> result;
  for (auto it = runs_.lower_bound({uid, 0}); it != runs_.end() && it->first.uid == uid; ++it) {
    result.push_back(it->second.seen);
  }
  co_return result;
}

std::vector<ports::KnownRun> FakeRuntime::known_runs() {
  std::vector<ports::KnownRun> result;
  for (const auto& [id, run] : runs_) {
    result.push_back({id, run.key, run.frozen});
  }
  return result;
}

// ---- what the engine asks for ----------------------------------------------------------------

AsyncResult<FakeRuntime::Run*> FakeRuntime::enter(std::string call, RunId run) {
  ++calls_[call];
  log_.push_back(call + " " + std::to_string(run.number));
  if (const auto hang = hangs_.find(call); hang != hangs_.end()) {
    hangs_.erase(hang);
    co_await unhang_.wait();
  }
  if (auto fault = due_fault(call, false); !fault) {
    co_return std::unexpected(fault.error());
  }
  const auto it = runs_.find(run);
  if (it == runs_.end()) {
    co_return fail(ErrorKind::NotFound, "no run " + std::to_string(run.number) + " of " + run.uid);
  }
  co_return &it->second;
}

Result<void> FakeRuntime::leave(const std::string& call, const std::string& uid) {
  changed(uid);
  return due_fault(call, true);
}

AsyncResult<void> FakeRuntime::begin(const ports::RunStart& start) {
  auto entered = co_await enter("begin", start.id);
  if (!entered && entered.error().kind != ErrorKind::NotFound) {
    co_return std::unexpected(entered.error());
  }
  if (!entered) {
    Run run;
    run.key = start.key;
    run.frozen = start.frozen;
    run.files = start.files;
    run.seen.number = start.id.number;
    run.seen.network_ready = options_.network_at_once;
    run.seen.version = "1";
    runs_.emplace(start.id, std::move(run));
  }
  co_return leave("begin", start.id.uid);
}

AsyncResult<void> FakeRuntime::ensure_workers(const RunId& id) {
  auto entered = co_await enter("ensure_workers", id);
  if (!entered) {
    co_return std::unexpected(entered.error());
  }
  Run& run = **entered;
  const auto& spec = run.frozen->spec;
  if (run.seen.workers.empty()) {
    for (int index = 0; index < spec.worker.replicas; ++index) {
      core::Replica replica;
      replica.index = index;
      replica.state = ReplicaState::Inert;
      replica.address =
          "127.1." + std::to_string(index / 250) + "." + std::to_string(index % 250 + 1);
      run.seen.workers.push_back(std::move(replica));
    }
    // Without a master the workers begin the load themselves: they wait to be released.
    if (spec.master) {
      for (core::Replica& replica : run.seen.workers) {
        start_replica(id, run, Role::Worker, replica);
      }
    } else if (options_.ready_at_once) {
      for (core::Replica& replica : run.seen.workers) {
        replica.ready = true;
      }
    }
    bump(run);
  }
  co_return leave("ensure_workers", id.uid);
}

AsyncResult<void> FakeRuntime::ensure_checks(const RunId& id) {
  auto entered = co_await enter("ensure_checks", id);
  if (!entered) {
    co_return std::unexpected(entered.error());
  }
  Run& run = **entered;
  if (!run.seen.checks_exist) {
    run.seen.checks_exist = true;
    for (const auto& check : run.frozen->spec.health_check.checks) {
      for (const core::Replica& worker : run.seen.workers) {
        run.seen.checks.push_back({.name = check.name, .worker = worker.index});
      }
    }
    if (options_.checks_pass_at_once) {
      pass_checks(id);
    }
  }
  co_return leave("ensure_checks", id.uid);
}

AsyncResult<void> FakeRuntime::ensure_master(const RunId& id) {
  auto entered = co_await enter("ensure_master", id);
  if (!entered) {
    co_return std::unexpected(entered.error());
  }
  Run& run = **entered;
  if (!run.seen.master) {
    run.seen.master.emplace();
    run.seen.master->state = ReplicaState::Inert;
    run.seen.master->address = "127.1.9.1";
    bump(run);
  }
  co_return leave("ensure_master", id.uid);
}

AsyncResult<void> FakeRuntime::release(const RunId& id, Role role, const std::string& version) {
  const std::string expected = version;
  auto entered = co_await enter("release", id);
  if (!entered) {
    co_return std::unexpected(entered.error());
  }
  Run& run = **entered;
  std::vector<core::Replica*> inert;
  if (role == Role::Master && run.seen.master && run.seen.master->state == ReplicaState::Inert) {
    inert.push_back(&*run.seen.master);
  }
  for (core::Replica& worker : run.seen.workers) {
    if (role == Role::Worker && worker.state == ReplicaState::Inert) {
      inert.push_back(&worker);
    }
  }
  if (role == Role::Master && !run.seen.master) {
    co_return fail(ErrorKind::NotFound, "no master of run " + std::to_string(id.number));
  }
  if (role == Role::Master && inert.empty() && starts(id, Role::Master, 0) == 0) {
    co_return fail(ErrorKind::Conflict,
                   "the master of run " + std::to_string(id.number) + " ended before its release");
  }
  if (!inert.empty() && expected != run.seen.version) {
    co_return fail(ErrorKind::Conflict, "run " + std::to_string(id.number) + ": found version " +
                                            run.seen.version + ", expected " + expected);
  }
  for (core::Replica* replica : inert) {
    start_replica(id, run, role, *replica);
  }
  if (!inert.empty()) {
    run.seen.start_skew_microseconds = role == Role::Worker ? 100 : 0;
    bump(run);
  }
  co_return leave("release", id.uid);
}

AsyncResult<void> FakeRuntime::stop_checks(const RunId& id) {
  auto entered = co_await enter("stop_checks", id);
  if (!entered) {
    co_return std::unexpected(entered.error());
  }
  (*entered)->seen.checks_exist = false;
  co_return leave("stop_checks", id.uid);
}

AsyncResult<void> FakeRuntime::stop_role(const RunId& id, Role role, core::StopMode mode,
                                         Duration /*grace*/) {
  auto entered = co_await enter("stop_role", id);
  if (!entered) {
    co_return std::unexpected(entered.error());
  }
  Run& run = **entered;
  if (role == Role::Master && run.seen.master) {
    stop_replica(*run.seen.master, mode);
  }
  if (role == Role::Worker) {
    for (core::Replica& worker : run.seen.workers) {
      stop_replica(worker, mode);
    }
  }
  co_return leave("stop_role", id.uid);
}

AsyncResult<void> FakeRuntime::collect(const RunId& id) {
  auto entered = co_await enter("collect", id);
  if (!entered) {
    co_return std::unexpected(entered.error());
  }
  (*entered)->seen.results_collected = true;
  co_return leave("collect", id.uid);
}

AsyncResult<void> FakeRuntime::remove(const RunId& id) {
  auto entered = co_await enter("remove", id);
  if (!entered && entered.error().kind != ErrorKind::NotFound) {
    co_return std::unexpected(entered.error());
  }
  runs_.erase(id);
  co_return leave("remove", id.uid);
}

AsyncResult<void> FakeRuntime::logs(const RunId& id, const ports::LogOptions& options,
                                    LogWriter write) {
  const auto it = runs_.find(id);
  if (it == runs_.end()) {
    co_return fail(ErrorKind::NotFound, "no run " + std::to_string(id.number));
  }
  const auto text = it->second.logs.find({options.role, options.index});
  if (text == it->second.logs.end()) {
    co_return fail(ErrorKind::NotFound, "no such replica");
  }
  const std::string copy = text->second;
  co_await write(copy);
  co_return Result<void>{};
}

// ---- replicas --------------------------------------------------------------------------------

void FakeRuntime::start_replica(const RunId& id, Run& run, Role role, core::Replica& replica) {
  replica.state = ReplicaState::Running;
  replica.ready = role == Role::Master || options_.ready_at_once || replica.ready;
  ++starts_[{id, role, replica.index}];
  run.logs[{role, replica.index}] = std::string(core::to_string(role)) + " started\n";
  note_activity();
}

void FakeRuntime::end_replica(core::Replica& replica, int code) {
  replica.state = ReplicaState::Exited;
  replica.exit.emplace();
  replica.exit->code = code;
  replica.exit->signal = code > 128 ? code - 128 : 0;
  replica.exit->at = clock_.now();
}

void FakeRuntime::stop_replica(core::Replica& replica, core::StopMode mode) {
  const bool ends = mode == core::StopMode::Now || options_.obeys_stop;
  if (replica.state == ReplicaState::Inert || (is_live(replica) && ends)) {
    end_replica(replica, mode == core::StopMode::Now ? 137 : 143);
  }
}

void FakeRuntime::bump(Run& run) { run.seen.version = std::to_string(++run.version); }

void FakeRuntime::changed(const std::string& uid) {
  boost::asio::post(io_, [this, uid] {
    if (on_change_) {
      on_change_(uid);
    }
  });
}

void FakeRuntime::note_activity() { most_active_ = std::max(most_active_, active_runs()); }

int FakeRuntime::active_runs() const {
  int active = 0;
  for (const auto& [id, run] : runs_) {
    const bool worker = std::any_of(run.seen.workers.begin(), run.seen.workers.end(), is_live);
    active += worker || (run.seen.master && is_live(*run.seen.master)) ? 1 : 0;
  }
  return active;
}

int FakeRuntime::starts(const RunId& run, Role role, int index) const {
  const auto it = starts_.find({run, role, index});
  return it == starts_.end() ? 0 : it->second;
}

// ---- the world's side ------------------------------------------------------------------------

void FakeRuntime::set_network_ready(const RunId& run, bool ready) {
  at(run).seen.network_ready = ready;
  changed(run.uid);
}

void FakeRuntime::set_ready(const RunId& run, int worker, bool ready, std::string because) {
  core::Replica& replica = at(run).seen.workers.at(static_cast<size_t>(worker));
  replica.ready = ready;
  replica.not_ready_because = std::move(because);
  changed(run.uid);
}

void FakeRuntime::pass_checks(const RunId& run) {
  for (core::CheckResult& check : at(run).seen.checks) {
    check.passed = true;
    ++check.tries;
  }
  changed(run.uid);
}

void FakeRuntime::exit_worker(const RunId& run, int worker, int code) {
  end_replica(at(run).seen.workers.at(static_cast<size_t>(worker)), code);
  changed(run.uid);
}

void FakeRuntime::exit_master(const RunId& run, int code) {
  end_replica(at(run).seen.master.value(), code);
  changed(run.uid);
}

void FakeRuntime::set_statement(const RunId& run, core::Statement statement) {
  at(run).seen.statement = std::move(statement);
  changed(run.uid);
}

void FakeRuntime::set_log(const RunId& run, Role role, int index, std::string text) {
  at(run).logs[{role, index}] = std::move(text);
}

void FakeRuntime::hint(const std::string& uid) { changed(uid); }

const core::ObservedRun* FakeRuntime::find(const RunId& run) const {
  const auto it = runs_.find(run);
  return it == runs_.end() ? nullptr : &it->second.seen;
}

const std::vector<ports::RunFile>* FakeRuntime::files(const RunId& run) const {
  const auto it = runs_.find(run);
  return it == runs_.end() ? nullptr : &it->second.files;
}

// ---- faults ----------------------------------------------------------------------------------

Result<void> FakeRuntime::due_fault(const std::string& call, bool after) {
  for (auto [it, end] = faults_.equal_range(call); it != end; ++it) {
    if (it->second.after == after) {
      Error error = it->second.error;
      if (--it->second.times == 0) {
        faults_.erase(it);
      }
      return std::unexpected(std::move(error));
    }
  }
  return {};
}

void FakeRuntime::fail_next(const std::string& call, Error error, int times) {
  faults_.emplace(call, Fault{std::move(error), times, false});
}

void FakeRuntime::lose_answer(const std::string& call, Error error) {
  faults_.emplace(call, Fault{std::move(error), 1, true});
}

void FakeRuntime::hang_next(const std::string& call) { hangs_.insert(call); }

void FakeRuntime::unhang() { unhang_.notify_all(); }

int FakeRuntime::calls(const std::string& call) const {
  const auto it = calls_.find(call);
  return it == calls_.end() ? 0 : it->second;
}

}  // namespace atq::fakes
