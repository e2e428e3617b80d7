#include "controller/engine/controller.hpp"

#include <algorithm>

#include "controller/engine/log.hpp"
#include "src/base/hash.hpp"

namespace atq::engine {

namespace {

constexpr Duration kOrphanDelay = std::chrono::seconds(5);
constexpr Duration kEscapeHatch = std::chrono::minutes(5);

std::string describe(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

}  // namespace

Controller::Controller(const Surroundings& outside, const ControllerOptions& options)
    : options_(options),
      state_(outside, options.run_limits, options.other_limit),
      reconciler_(state_),
      tasks_(outside.io,
             [](const std::exception_ptr& thrown) {
               log(LogLevel::Error, "a worker of the engine threw", {{"error", describe(thrown)}});
             }),
      sync_changed_(outside.io),
      sweep_timer_(outside.clock.make_timer()) {
  state_.metrics.on_scrape([this] { return gauges(); });
}

Controller::~Controller() { state_.metrics.on_scrape(nullptr); }

// ---- what the store tells --------------------------------------------------------------------

void Controller::replace(std::vector<ports::StoredTest> all) {
  replace_begin();
  for (ports::StoredTest& test : all) {
    replace_add(std::exchange(test, {}));
  }
  replace_end();
}

void Controller::replace_begin() { state_.cache.begin_replace(); }

void Controller::replace_add(ports::StoredTest test) { take_in(test); }

void Controller::replace_end() {
  for (const CachedTestPtr& gone : state_.cache.end_replace()) {
    state_.bury(*gone);
  }
  state_.metrics.listed();
  if (!synced_) {
    synced_ = true;
    log(LogLevel::Info, "store " + state_.store.name() + " read",
        {{"objects", std::to_string(state_.cache.size())}});
    sync_changed_.notify_all();
  }
}

void Controller::upsert(ports::StoredTest test) { take_in(test); }

bool Controller::is_stale(const ports::StoredTest& test) {
  const auto it = state_.written.find(api::key_of(test.test));
  if (it == state_.written.end() || it->second.uid != test.test.metadata.uid) {
    return false;
  }
  const auto order = compare_versions(test.test.metadata.resource_version, it->second.version);
  const bool older = order && *order < 0;
  if (older && state_.clock.now() < it->second.at + kEscapeHatch) {
    return true;
  }
  state_.written.erase(it);
  return false;
}

void Controller::take_in(const ports::StoredTest& test) {
  const api::Key key = api::key_of(test.test);
  if (is_stale(test)) {
    state_.cache.keep(key);
    return;
  }
  const Cache::Applied applied = state_.cache.upsert(test);
  if (!applied.changed) {
    return;
  }
  const bool fresh = !applied.before || applied.before->uid() != applied.after->uid();
  if (applied.before && fresh) {
    state_.bury(*applied.before);
  }
  const WorkItem item{.key = key, .gone_uid = ""};
  if (fresh) {
    state_.admission.seed(item, state_.runtime_name(test.test.spec), test.test.status);
  }
  state_.queue.add(item, synced_ ? Priority::Normal : Priority::Low);
}

void Controller::remove(const api::Key& key, const std::string& uid) {
  if (const CachedTestPtr gone = state_.cache.remove(key, uid)) {
    state_.bury(*gone);
  }
}

void Controller::problems(std::vector<ports::SourceProblem> all) {
  for (const ports::SourceProblem& problem : all) {
    if (std::ranges::find(problems_, problem) == problems_.end()) {
      state_.events.emit(
          problem.source, "",
          {.warning = true, .reason = "SourceUnreadable", .message = problem.message},
          state_.clock.now());
    }
  }
  problems_ = std::move(all);
}

// ---- what the runtimes tell ------------------------------------------------------------------

void Controller::adopt_runs() { state_.runtimes.refresh(); }

void Controller::hint(const std::string& uid) {
  if (const CachedTestPtr test = state_.cache.find_uid(uid)) {
    state_.queue.add({.key = test->key(), .gone_uid = ""});
  } else if (const auto it = state_.gone.find(uid); it != state_.gone.end()) {
    state_.queue.add({.key = api::key_of(*it->second), .gone_uid = uid});
  }
}

Task<void> Controller::sweep_orphans() {
  const auto is_orphan = [this](const core::RunId& id) {
    return state_.cache.find_uid(id.uid) == nullptr && !state_.gone.contains(id.uid);
  };
  std::vector<core::RunId> seen;
  for (const auto& [id, known] : state_.runtimes.runs()) {
    if (is_orphan(id)) {
      seen.push_back(id);
    }
  }
  if (seen.empty()) {
    co_return;
  }
  // Seen twice, so that an object that a store tells late does not lose its run.
  const TimePoint again = state_.clock.now() + kOrphanDelay;
  const bool waited = co_await sweep_timer_->wait_until(again);
  if (!waited || stopping_ || state_.halted) {
    co_return;
  }
  state_.runtimes.refresh();
  for (const core::RunId& id : seen) {
    const Runtimes::Known* known = state_.runtimes.run(id);
    const bool swept = state_.gone.contains(id.uid);
    if (known != nullptr && state_.cache.find_uid(id.uid) == nullptr) {
      log(LogLevel::Warn, "removing a run of no LoadTest",
          {{"key", api::to_string(known->key)},
           {"run", std::to_string(id.number)},
           {"uid", id.uid}});
      state_.metrics.orphan_removed();
      if (!swept) {
        state_.bury_orphan(id, *known);
      }
    }
  }
}

// ---- workers ---------------------------------------------------------------------------------

Task<void> Controller::wait_synced() {
  while (!synced_ && !stopping_ && !state_.halted) {
    co_await sync_changed_.wait();
  }
}

void Controller::abandon_sync() {
  stopping_ = true;
  sync_changed_.notify_all();
}

void Controller::start_workers() {
  working_ = true;
  state_.metrics.set_workers(0, options_.max_concurrent_reconciles);
  tasks_.spawn(state_.queue.run_alarms());
  for (int i = 0; i < options_.max_concurrent_reconciles; ++i) {
    tasks_.spawn(work());
  }
  tasks_.spawn(sweep_orphans());
}

Task<void> Controller::work() {
  while (true) {
    auto taking = state_.queue.next();
    auto item = co_await std::move(taking);
    if (!item) {
      co_return;
    }
    auto passing = pass(*item);
    co_await std::move(passing);
    state_.queue.done(*item);
  }
}

Task<void> Controller::pass(WorkItem item) {
  const TimePoint start = state_.clock.now();
  state_.metrics.set_workers(++active_, options_.max_concurrent_reconciles);
  const std::string id = to_hex(
      fnv1a(std::to_string(start.time_since_epoch().count()) + "/" + std::to_string(++passes_)));
  Reconciler::Outcome outcome{ReconcileResult::Error, std::nullopt};
  try {
    auto reconciling = reconciler_.reconcile(item, id);
    outcome = co_await std::move(reconciling);
  } catch (...) {
    state_.metrics.reconcile_panicked();
    log(LogLevel::Error, "a pass threw: " + describe(std::current_exception()),
        {{"key", to_string(item)}, {"reconcile", id}});
  }
  state_.metrics.set_workers(--active_, options_.max_concurrent_reconciles);
  state_.metrics.reconciled(outcome.result, state_.clock.now() - start);
  settle(item, outcome);
}

void Controller::settle(const WorkItem& item, const Reconciler::Outcome& outcome) {
  if (outcome.result == ReconcileResult::Error || outcome.result == ReconcileResult::Requeue) {
    state_.queue.retry(item);
  }
  if (outcome.requeue_after) {
    state_.queue.add_after(item, *outcome.requeue_after);
  }
}

Task<void> Controller::drain() {
  abandon_sync();
  working_ = false;
  sweep_timer_->cancel();
  state_.queue.shut_down(false);
  auto joining = tasks_.join();
  co_await std::move(joining);
}

void Controller::halt() {
  state_.halted = true;
  working_ = false;
  abandon_sync();
  sweep_timer_->cancel();
  state_.queue.shut_down(false);
}

Metrics::Gauges Controller::gauges() const {
  const TimePoint now = state_.clock.now();
  Metrics::Gauges gauges;
  const WorkQueue& queue = state_.queue.state();
  gauges.unfinished_work_seconds =
      std::chrono::duration<double>(queue.unfinished_work(now)).count();
  gauges.longest_running_seconds =
      std::chrono::duration<double>(queue.longest_running(now)).count();
  gauges.cache_objects = state_.cache.size();
  gauges.source_problems = problems_.size();
  for (const ports::Runtime* runtime : state_.runtimes.all()) {
    const std::string name = runtime->name();
    gauges.runs[name] = {state_.admission.running(name),
                         static_cast<int>(state_.admission.waiting(name).size())};
  }
  return gauges;
}

}  // namespace atq::engine
