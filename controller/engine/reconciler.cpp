#include "controller/engine/reconciler.hpp"

#include <algorithm>

#include "controller/core/reconcile.hpp"
#include "controller/engine/deadline.hpp"
#include "controller/engine/log.hpp"
#include "controller/engine/status_policy.hpp"

namespace atq::engine {

namespace {

constexpr Duration kPassLimit = std::chrono::seconds(30);
/// More steps than any path through the phases has; what needs more goes through the queue.
constexpr int kMaxSteps = 16;

int64_t run_of(const core::Action& action, const Subject& subject) {
  return std::visit(
      [&](const auto& each) {
        if constexpr (requires { each.run.number; }) {
          return each.run.number;
        } else {
          return subject.test->status.run.number;
        }
      },
      action);
}

}  // namespace

// ---- gather ----------------------------------------------------------------------------------

bool Reconciler::load(Pass& pass, const WorkItem& item) {
  Subject& subject = pass.subject;
  subject.item = item;
  if (!item.gone_uid.empty()) {
    const auto it = state_.gone.find(item.gone_uid);
    if (it == state_.gone.end()) {
      return false;
    }
    subject.test = it->second;
  } else {
    subject.cached = state_.cache.get(item.key);
    if (!subject.cached) {
      return false;
    }
    subject.test = subject.cached->decode();
    pass.problems = subject.cached->problems();
  }
  subject.stored = subject.test->status;
  resolve(pass);
  return true;
}

void Reconciler::resolve(Pass& pass) const {
  const api::LoadTest& test = *pass.subject.test;
  pass.runtime = state_.runtimes.find(test.spec.runtime);
  if (!pass.subject.cached || !pass.problems.empty()) {
    return;
  }
  if (pass.runtime == nullptr) {
    pass.problems.push_back({.path = "spec.runtime",
                             .message = "found \"" + test.spec.runtime + "\", expected one of " +
                                        state_.runtimes.names(),
                             .rule = "semantic"});
    return;
  }
  api::Resolved resolved = api::resolve(test.spec);
  pass.problems = std::move(resolved.problems);
  if (pass.problems.empty()) {
    pass.resolved = std::make_shared<const api::FrozenSpec>(std::move(resolved.frozen));
  }
}

AsyncResult<core::World> Reconciler::gather(Pass& pass) {
  Subject& subject = pass.subject;
  const std::string uid = subject.test->metadata.uid;
  core::World world;
  for (ports::Runtime* runtime : state_.runtimes.all()) {
    const Duration left = std::max(subject.deadline - state_.clock.now(), Duration(1));
    auto task = with_deadline<std::vector<core::ObservedRun>>(
        state_.calls, state_.clock, left, "observe",
        [runtime, uid] { return runtime->observe(uid); });
    auto observed = co_await std::move(task);
    if (!observed) {
      co_return fail_with("runtime " + runtime->name(), observed.error());
    }
    std::ranges::move(*observed, std::back_inserter(world.observed));
  }
  std::ranges::sort(world.observed, {}, &core::ObservedRun::number);
  world.test = subject.test;
  world.problems = pass.problems;
  world.resolved = pass.resolved;
  int64_t number = subject.test->status.run.number;
  if (!world.observed.empty()) {
    number = std::max(number, world.observed.back().number);
  }
  const core::RunId id{uid, number};
  const bool seen = !world.observed.empty() && world.observed.back().number == number;
  if (seen && state_.runtimes.run(id) == nullptr) {
    state_.runtimes.refresh();
  }
  if (const Runtimes::Known* known = state_.runtimes.run(id); known != nullptr && seen) {
    world.run = known->frozen;
  }
  if (const auto it = state_.failures.find(subject.item); it != state_.failures.end()) {
    world.failure = it->second;
  }
  world.admission = state_.admission.ticket(subject.item, state_.runtime_name(subject.test->spec));
  world.capabilities.finalizers = state_.store.capabilities().finalizers;
  if (pass.runtime != nullptr) {
    const core::Capabilities of_runtime = pass.runtime->capabilities();
    world.capabilities.garbage_collection = of_runtime.garbage_collection;
    world.capabilities.runtime_name = pass.runtime->name();
  }
  co_return world;
}

bool Reconciler::is_superseded(const Subject& subject) const {
  if (!state_.may_write()) {
    return true;
  }
  return subject.cached && state_.cache.get(subject.item.key) != subject.cached;
}

// ---- decide and act --------------------------------------------------------------------------

Task<Reconciler::Step> Reconciler::step(Pass& pass) {
  Subject& subject = pass.subject;
  auto gathering = gather(pass);
  auto world = co_await std::move(gathering);
  if (is_superseded(subject)) {
    co_return Step::Superseded;
  }
  if (!world) {
    pass.error = world.error();
    co_return Step::Failed;
  }
  core::Plan plan = core::reconcile(*world, state_.clock.now());
  note_admission(pass, plan);
  pass.requeue_after = plan.requeue_after;
  std::erase_if(plan.actions, [&](const core::Action& action) {
    return std::ranges::find(pass.done, action) != pass.done.end();
  });
  if (plan.actions.empty() && plan.status == subject.test->status) {
    std::ranges::move(plan.events, std::back_inserter(pass.events));
    co_return Step::Settled;
  }
  auto acting = act(pass, *world, std::move(plan));
  const Step result = co_await std::move(acting);
  co_return result;
}

Task<Reconciler::Step> Reconciler::act(Pass& pass, core::World& world, core::Plan plan) {
  Subject& subject = pass.subject;
  if (must_write_first(subject.stored, plan.status, plan.actions)) {
    subject.test->status = plan.status;
    std::ranges::move(plan.events, std::back_inserter(pass.events));
    plan.events.clear();
    auto writing = write(pass);
    const Step written = co_await std::move(writing);
    if (written != Step::GoOn) {
      co_return written;
    }
  }
  for (const core::Action& action : plan.actions) {
    if (is_superseded(subject)) {
      co_return Step::Superseded;
    }
    auto carrying = executor_.carry_out(action, subject);
    auto result = co_await std::move(carrying);
    state_.metrics.action_done(core::name_of(action), !result);
    if (!result && !state_.may_write()) {
      co_return Step::Superseded;  // no fault of the action's
    }
    if (!result) {
      note_failure(pass, action, result.error());
      world.failure = state_.failures.at(subject.item);
      // The status is to name what holds the run up, not what would have been without it.
      core::Plan told = core::reconcile(world, state_.clock.now());
      std::ranges::move(told.events, std::back_inserter(pass.events));
      subject.test->status = std::move(told.status);
      pass.requeue_after = told.requeue_after;
      co_return Step::Failed;
    }
    if (log_enabled(LogLevel::Debug)) {
      log(LogLevel::Debug, core::name_of(action),
          {{"key", api::to_string(subject.item.key)},
           {"run", std::to_string(run_of(action, subject))},
           {"reconcile", subject.id}});
    }
    pass.done.push_back(action);
    state_.failures.erase(subject.item);
    if (std::holds_alternative<core::Finalize>(action)) {
      leave(pass);
      co_return Step::Superseded;
    }
  }
  std::ranges::move(plan.events, std::back_inserter(pass.events));
  subject.test->status = std::move(plan.status);
  co_return Step::GoOn;
}

void Reconciler::note_admission(const Pass& pass, const core::Plan& plan) {
  const WorkItem& item = pass.subject.item;
  const std::string before = state_.admission.runtime_of(item);
  std::string runtime = before;
  // A run stays where it began; only a new wish goes by the spec of now.
  if (before.empty() || (plan.wants_admission && !plan.holds_admission)) {
    runtime = state_.runtime_name(pass.subject.test->spec);
  }
  const bool freed =
      state_.admission.update(item, runtime, plan.wants_admission, plan.holds_admission,
                              plan.status.run.queued_at.value_or(TimePoint{}));
  if (freed) {
    state_.wake_waiting(before);
  }
}

void Reconciler::note_failure(Pass& pass, const core::Action& action, const Error& error) {
  const Subject& subject = pass.subject;
  const std::string name(core::name_of(action));
  const int64_t run = run_of(action, subject);
  core::ActionFailure& failure = state_.failures[subject.item];
  const bool again = failure.action == name && failure.run == run;
  failure.attempts = again ? failure.attempts + 1 : 1;
  failure.action = name;
  failure.run = run;
  failure.error = error;
  pass.error = error;
  log(LogLevel::Warn, name + " failed: " + error.message,
      {{"key", api::to_string(subject.item.key)},
       {"run", std::to_string(run)},
       {"kind", to_string(error.kind)},
       {"attempt", std::to_string(failure.attempts)},
       {"reconcile", subject.id}});
}

void Reconciler::leave(const Pass& pass) {
  const Subject& subject = pass.subject;
  const std::string runtime = state_.admission.runtime_of(subject.item);
  if (!subject.cached) {
    state_.gone.erase(subject.item.gone_uid);
  }
  state_.admission.forget(subject.item);
  state_.failures.erase(subject.item);
  state_.queue.forget(subject.item);
  if (!runtime.empty()) {
    state_.wake_waiting(runtime);
  }
}

// ---- write -----------------------------------------------------------------------------------

Task<Reconciler::Step> Reconciler::write(Pass& pass) {
  Subject& subject = pass.subject;
  if (!subject.cached) {
    subject.stored = subject.test->status;  // nobody to write it for
    pass.events.clear();
    co_return Step::GoOn;
  }
  if (!state_.may_write()) {
    co_return Step::Superseded;
  }
  auto* store = &state_.store;
  auto task = with_deadline<std::string>(
      state_.calls, state_.clock, kCallLimit, "write of the status",
      [store, key = subject.item.key, uid = subject.cached->uid(),
       version = subject.cached->store_version(),
       status = subject.test->status] { return store->update_status(key, uid, version, status); });
  auto version = co_await std::move(task);
  if (version) {
    note_written(pass, *version);
    emit(pass);
    co_return state_.halted || is_superseded(subject) ? Step::Superseded : Step::GoOn;
  }
  if (version.error().kind == ErrorKind::NotFound) {
    co_return Step::Superseded;  // it has gone; the watch will say so
  }
  if (version.error().kind == ErrorKind::Invalid) {
    // The store will never take it: to try again is no use until the object changes.
    state_.metrics.reconcile_failed_for_good();
    log(LogLevel::Error, "status refused: " + version.error().message,
        {{"key", api::to_string(subject.item.key)}, {"reconcile", subject.id}});
    co_return Step::Superseded;
  }
  pass.error = version.error();
  if (version.error().kind == ErrorKind::Conflict) {
    state_.metrics.write_conflicted();
    auto reading = reread(subject);
    co_await std::move(reading);
  }
  log(LogLevel::Info, "status not written: " + version.error().message,
      {{"key", api::to_string(subject.item.key)}, {"reconcile", subject.id}});
  co_return Step::Failed;
}

void Reconciler::note_written(Pass& pass, const std::string& version) {
  Subject& subject = pass.subject;
  const TimePoint now = state_.clock.now();
  const bool finished = subject.test->status.run.finished_at &&
                        (!subject.stored.run.finished_at ||
                         subject.stored.run.number != subject.test->status.run.number);
  state_.metrics.status_written();
  if (finished) {
    state_.metrics.run_finished(subject.test->status.verdict);
  }
  subject.stored = subject.test->status;
  state_.status_written_at[subject.item] = now;
  state_.written[subject.item.key] = {subject.cached->uid(), version, now};
  const CachedTestPtr held = state_.cache.get(subject.item.key);
  if (held == subject.cached) {
    // Exactly what the store has by now, as the write was conditional on what is held.
    subject.test->metadata.resource_version = version;
    subject.cached =
        state_.cache.upsert({.test = *subject.test, .problems = subject.cached->problems()}).after;
  } else if (held && held->uid() == subject.cached->uid() && held->store_version() == version) {
    subject.cached = held;  // the watch was faster than the answer
  }
}

Task<void> Reconciler::reread(Subject& subject) {
  auto* store = &state_.store;
  auto task = with_deadline<ports::StoredTest>(
      state_.calls, state_.clock, kCallLimit, "read of the LoadTest",
      [store, key = subject.item.key] { return store->get(key); });
  auto live = co_await std::move(task);
  if (live && live->test.metadata.uid == subject.cached->uid() &&
      state_.cache.get(subject.item.key) == subject.cached) {
    state_.cache.upsert(*live);
  }
}

void Reconciler::emit(Pass& pass) {
  const Subject& subject = pass.subject;
  const TimePoint now = state_.clock.now();
  for (const core::Event& event : pass.events) {
    state_.events.emit(api::to_string(subject.item.key), subject.test->metadata.uid, event, now);
  }
  pass.events.clear();
}

// ---- the pass --------------------------------------------------------------------------------

Task<Reconciler::Step> Reconciler::finish(Pass& pass, Step last) {
  Subject& subject = pass.subject;
  switch (urgency_of(subject.stored, subject.test->status)) {
    case Urgency::None:
      emit(pass);
      co_return last;
    case Urgency::Later: {
      const auto it = state_.status_written_at.find(subject.item);
      const TimePoint now = state_.clock.now();
      if (it != state_.status_written_at.end() && now < it->second + kCoalesce) {
        const Duration wait = it->second + kCoalesce - now;
        pass.requeue_after = std::min(pass.requeue_after.value_or(wait), wait);
        co_return last;
      }
      break;
    }
    case Urgency::Now:
      break;
  }
  auto writing = write(pass);
  const Step written = co_await std::move(writing);
  co_return written == Step::GoOn ? last : written;
}

Task<Reconciler::Outcome> Reconciler::reconcile(WorkItem item, std::string id) {
  Pass pass;
  if (!load(pass, item)) {
    state_.queue.forget(item);
    co_return Outcome{};
  }
  const std::string uid = pass.subject.test->metadata.uid;
  if (executor_.is_stuck(uid) || !state_.busy.insert(uid).second) {
    // Its last pass as an object of the store, or a call that is late, has not ended.
    co_return Outcome{ReconcileResult::Requeue, std::nullopt};
  }
  struct Busy {
    std::set<std::string>& uids;
    const std::string& uid;
    ~Busy() { uids.erase(uid); }
  } const busy{state_.busy, uid};
  pass.subject.id = std::move(id);
  pass.subject.deadline = state_.clock.now() + kPassLimit;
  Step last = Step::GoOn;
  for (int steps = 0; last == Step::GoOn && steps < kMaxSteps; ++steps) {
    auto stepping = step(pass);
    last = co_await std::move(stepping);
  }
  if (last != Step::Superseded) {
    auto finishing = finish(pass, last);
    last = co_await std::move(finishing);
  }
  if (pass.subject.cached && !state_.halted && state_.cache.find_uid(uid) == nullptr) {
    state_.bury(*pass.subject.cached);  // it went during the pass, which may have begun a run
  }
  co_return outcome_of(pass, last);
}

Reconciler::Outcome Reconciler::outcome_of(Pass& pass, Step last) {
  const WorkItem& item = pass.subject.item;
  if (last == Step::Failed) {
    if (pass.error->kind == ErrorKind::Timeout) {
      state_.metrics.reconcile_timed_out();
    }
    return {ReconcileResult::Error, pass.requeue_after};
  }
  if (last == Step::Superseded && !state_.may_write()) {
    return {ReconcileResult::Requeue, std::nullopt};  // leadership may yet be renewed
  }
  state_.queue.forget(item);
  if (last == Step::Superseded) {
    return {};  // what superseded it has queued it
  }
  if (last == Step::GoOn) {
    return {ReconcileResult::RequeueAfter, Duration(std::chrono::seconds(1))};
  }
  if (pass.requeue_after) {
    return {ReconcileResult::RequeueAfter, pass.requeue_after};
  }
  return {};
}

}  // namespace atq::engine
