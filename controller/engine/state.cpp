#include "controller/engine/state.hpp"

#include "controller/engine/log.hpp"

namespace atq::engine {

namespace {

std::string what(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown exception";
  }
}

}  // namespace

EngineState::EngineState(const Surroundings& outside, std::map<std::string, int> run_limits,
                         int other_limit)
    : io(outside.io),
      clock(outside.clock),
      store(outside.store),
      events(outside.events),
      metrics(outside.metrics),
      cache(static_cast<uint64_t>(outside.clock.now().time_since_epoch().count())),
      queue(outside.io, outside.clock, &outside.metrics),
      admission(std::move(run_limits), other_limit),
      runtimes(outside.runtimes),
      calls(outside.io,
            [](const std::exception_ptr& thrown) {
              log(LogLevel::Error, "a call of the engine threw", {{"error", what(thrown)}});
            }),
      covered(outside.may_write) {}

void EngineState::wake_waiting(const std::string& runtime) {
  const auto admissible = admission.admissible(runtime);
  for (const WorkItem& item : admissible) {
    queue.add(item);
  }
  // The others only learn their new place: the first soon, the far ones seldom.
  constexpr size_t kNear = 32;
  const auto waiting = admission.waiting(runtime);
  for (size_t i = admissible.size(); i < waiting.size(); ++i) {
    queue.add_after(waiting[i], i < kNear ? std::chrono::seconds(1) : std::chrono::seconds(10));
  }
}

std::string EngineState::runtime_name(const api::LoadTestSpec& spec) const {
  const ports::Runtime* runtime = runtimes.find(spec.runtime);
  return runtime == nullptr ? spec.runtime : runtime->name();
}

void EngineState::bury(const CachedTest& test) {
  const WorkItem item{.key = test.key(), .gone_uid = ""};
  const WorkItem grave{.key = test.key(), .gone_uid = test.uid()};
  const std::string runtime = admission.runtime_of(item);
  failures.erase(item);
  status_written_at.erase(item);
  queue.forget(item);
  if (const auto it = written.find(test.key());
      it != written.end() && it->second.uid == test.uid()) {
    written.erase(it);
  }
  if (!runtimes.has_runs_of(test.uid())) {
    admission.forget(item);
  } else if (!gone.contains(test.uid())) {
    admission.rename(item, grave);
    auto object = test.decode();
    if (!object->metadata.deletion_timestamp) {
      object->metadata.deletion_timestamp = clock.now();
    }
    gone.emplace(test.uid(), std::move(object));
    queue.add(grave);
  }
  if (!runtime.empty()) {
    wake_waiting(runtime);
  }
}

void EngineState::bury_orphan(const core::RunId& id, const Runtimes::Known& known) {
  auto [it, fresh] = gone.try_emplace(id.uid);
  if (fresh) {
    it->second = std::make_shared<api::LoadTest>();
    api::LoadTest& object = *it->second;
    object.metadata.name = known.key.name;
    object.metadata.ns = known.key.ns;
    object.metadata.uid = id.uid;
    object.metadata.generation = 1;
    object.metadata.deletion_timestamp = clock.now();
    if (known.frozen) {
      object.spec = known.frozen->spec;
    }
  }
  queue.add({.key = known.key, .gone_uid = id.uid});
}

}  // namespace atq::engine
