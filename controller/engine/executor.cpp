#include "controller/engine/executor.hpp"

#include "controller/engine/deadline.hpp"

namespace atq::engine {

using core::RunId;

AsyncResult<void> Executor::carry_out(const core::Action& action, const Subject& subject) {
  return std::visit([&](const auto& each) { return act(each, subject); }, action);
}

// ---- calls -----------------------------------------------------------------------------------

AsyncResult<void> Executor::tracked(std::string uid, std::string what,
                                    std::function<AsyncResult<void>()> call) {
  late_.insert_or_assign(uid, std::move(what));
  try {
    auto task = call();
    auto result = co_await std::move(task);
    late_.erase(uid);
    co_return result;
  } catch (...) {
    late_.erase(uid);
    throw;
  }
}

AsyncResult<void> Executor::timed(std::string uid, std::string_view what, Duration limit,
                                  std::function<AsyncResult<void>()> call) {
  if (!state_.may_write()) {
    co_return fail(ErrorKind::Canceled, "leadership is lost or about to be");
  }
  if (const auto it = late_.find(uid); it != late_.end()) {
    co_return fail(ErrorKind::Unavailable, it->second + ", called before, has not returned yet");
  }
  std::string name(what);
  auto task = with_deadline<void>(state_.calls, state_.clock, limit, name,
                                  [this, uid, name, call] { return tracked(uid, name, call); });
  auto result = co_await std::move(task);
  co_return result;
}

AsyncResult<void> Executor::on_runtime(RunId run, std::string_view what, const Subject& subject,
                                       Call call) {
  const Runtimes::Known* known = state_.runtimes.run(run);
  if (known == nullptr) {
    state_.runtimes.refresh();
    known = state_.runtimes.run(run);
  }
  if (known == nullptr) {
    co_return fail(ErrorKind::NotFound, "no runtime has run " + std::to_string(run.number));
  }
  const Duration left = std::max(subject.deadline - state_.clock.now(), Duration(1));
  ports::Runtime* runtime = known->runtime;
  auto task = timed(run.uid, what, std::min(left, kCallLimit),
                    [runtime, call = std::move(call)] { return call(*runtime); });
  auto result = co_await std::move(task);
  co_return result;
}

// ---- actions ---------------------------------------------------------------------------------

AsyncResult<void> Executor::act(const core::BeginRun& action, const Subject& subject) {
  const Runtimes::Known* known = state_.runtimes.run(action.run);
  const auto frozen = known != nullptr && known->frozen ? known->frozen : action.frozen;
  ports::Runtime* runtime =
      known != nullptr ? known->runtime : state_.runtimes.find(frozen->spec.runtime);
  if (runtime == nullptr) {
    co_return fail(ErrorKind::Invalid, "spec.runtime: found " + frozen->spec.runtime +
                                           ", expected one of " + state_.runtimes.names());
  }
  auto files = gather_files(state_.store, subject.item.key, frozen->spec, runtime->capabilities());
  if (!files) {
    co_return std::unexpected(files.error());
  }
  const ports::RunStart start{
      .id = action.run, .key = subject.item.key, .frozen = frozen, .files = std::move(*files)};
  auto task = timed(action.run.uid, core::name_of(action), kCallLimit,
                    [runtime, start] { return runtime->begin(start); });
  auto result = co_await std::move(task);
  if (result) {
    state_.runtimes.begun(action.run, {runtime, start.key, frozen});
  }
  co_return result;
}

AsyncResult<void> Executor::act(const core::EnsureWorkers& action, const Subject& subject) {
  const RunId run = action.run;
  return on_runtime(run, core::name_of(action), subject,
                    [run](ports::Runtime& runtime) { return runtime.ensure_workers(run); });
}

AsyncResult<void> Executor::act(const core::EnsureChecks& action, const Subject& subject) {
  const RunId run = action.run;
  return on_runtime(run, core::name_of(action), subject,
                    [run](ports::Runtime& runtime) { return runtime.ensure_checks(run); });
}

AsyncResult<void> Executor::act(const core::EnsureMaster& action, const Subject& subject) {
  const RunId run = action.run;
  return on_runtime(run, core::name_of(action), subject,
                    [run](ports::Runtime& runtime) { return runtime.ensure_master(run); });
}

AsyncResult<void> Executor::act(const core::StopChecks& action, const Subject& subject) {
  const RunId run = action.run;
  return on_runtime(run, core::name_of(action), subject,
                    [run](ports::Runtime& runtime) { return runtime.stop_checks(run); });
}

AsyncResult<void> Executor::act(const core::Stop& action, const Subject& subject) {
  return on_runtime(action.run, core::name_of(action), subject, [action](ports::Runtime& runtime) {
    return runtime.stop_role(action.run, action.role, action.mode, action.grace);
  });
}

AsyncResult<void> Executor::act(const core::Collect& action, const Subject& subject) {
  const RunId run = action.run;
  return on_runtime(run, core::name_of(action), subject,
                    [run](ports::Runtime& runtime) { return runtime.collect(run); });
}

std::string refusal_of_release(const core::Release& action, const api::LoadTest& live) {
  if (live.metadata.uid != action.run.uid) {
    return "the LoadTest is another by now";
  }
  if (live.metadata.deletion_timestamp) {
    return "the LoadTest is being deleted";
  }
  if (live.status.run.number != action.run.number) {
    return "the present run is " + std::to_string(live.status.run.number);
  }
  if (live.status.run.collecting_at) {
    return "the run has been judged";
  }
  const auto stop = live.metadata.annotations.find(std::string(api::kStopAnnotation));
  if (stop != live.metadata.annotations.end() &&
      stop->second.starts_with(std::to_string(action.run.number) + "/")) {
    return "a stop was requested";
  }
  return {};
}

AsyncResult<void> Executor::check_release(const core::Release& action, const Subject& subject) {
  auto* store = &state_.store;
  auto task = with_deadline<ports::StoredTest>(
      state_.calls, state_.clock, kCallLimit, "read of the LoadTest",
      [store, key = subject.item.key] { return store->get(key); });
  auto live = co_await std::move(task);
  if (!live) {
    co_return fail_with("release refused", live.error());
  }
  const std::string refusal = refusal_of_release(action, live->test);
  if (!refusal.empty()) {
    co_return fail(ErrorKind::Conflict, "release refused: " + refusal);
  }
  co_return Result<void>{};
}

AsyncResult<void> Executor::act(const core::Release& action, const Subject& subject) {
  auto check = check_release(action, subject);
  auto allowed = co_await std::move(check);
  if (!allowed) {
    co_return allowed;
  }
  auto task =
      on_runtime(action.run, core::name_of(action), subject, [action](ports::Runtime& runtime) {
        return runtime.release(action.run, action.role, action.version);
      });
  auto result = co_await std::move(task);
  co_return result;
}

AsyncResult<void> Executor::act(const core::RemoveRun& action, const Subject& /*subject*/) {
  const Runtimes::Known* known = state_.runtimes.run(action.run);
  if (known == nullptr) {
    state_.runtimes.refresh();
    known = state_.runtimes.run(action.run);
  }
  if (known == nullptr) {
    co_return Result<void>{};
  }
  ports::Runtime* runtime = known->runtime;
  const RunId run = action.run;
  auto task = timed(run.uid, core::name_of(action), kRemoveLimit,
                    [runtime, run] { return runtime->remove(run); });
  auto result = co_await std::move(task);
  if (result) {
    state_.runtimes.removed(run);
  }
  co_return result;
}

AsyncResult<void> Executor::act(const core::Finalize& action, const Subject& subject) {
  if (!subject.cached) {
    co_return Result<void>{};  // it has gone from the store by itself
  }
  auto* store = &state_.store;
  const std::string uid = subject.test->metadata.uid;
  auto task = timed(uid, core::name_of(action), kCallLimit,
                    [store, key = subject.item.key, uid] { return store->finalize(key, uid); });
  auto result = co_await std::move(task);
  co_return result;
}

}  // namespace atq::engine
