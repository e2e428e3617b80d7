#pragma once
// What the parts of the engine share; owned by the Controller, one thread. Nothing in it needs to
// survive the process: store and runtime have the truth.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "controller/engine/admission.hpp"
#include "controller/engine/async_queue.hpp"
#include "controller/engine/cache.hpp"
#include "controller/engine/metrics.hpp"
#include "controller/engine/runtimes.hpp"
#include "controller/engine/task_group.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/event_sink.hpp"

namespace atq::engine {

/// The outside of the engine. All must outlive it.
struct Surroundings {
  boost::asio::io_context& io;
  ports::Clock& clock;
  ports::Store& store;
  std::vector<ports::Runtime*> runtimes;  ///< the first is the store's own
  ports::EventSink& events;
  Metrics& metrics;
  /// Asked before each write: false while another may lead already. Null: always true.
  std::function<bool()> may_write = nullptr;
};

/// Our last write of a status, until the store's watch has told of it (or for 5 minutes, should it
/// never): what is older must not be acted on.
struct Written {
  std::string uid;
  std::string version;
  TimePoint at{};
};

struct EngineState {
  EngineState(const Surroundings& outside, std::map<std::string, int> run_limits, int other_limit);

  boost::asio::io_context& io;
  ports::Clock& clock;
  ports::Store& store;
  ports::EventSink& events;
  Metrics& metrics;

  Cache cache;
  AsyncQueue queue;
  Admission admission;
  Runtimes runtimes;
  TaskGroup calls;  ///< port calls; those that missed their deadline are left here

  /// Objects that have gone while something of them is on a runtime, by uid.
  std::map<std::string, std::shared_ptr<api::LoadTest>> gone;
  std::map<api::Key, Written> written;
  std::map<WorkItem, core::ActionFailure> failures;
  std::map<WorkItem, TimePoint> status_written_at;  ///< for coalescing; old entries are dropped
  std::set<std::string> busy;                       ///< uids under work
  bool halted = false;  ///< leadership is lost: nothing is done any more

  /// Not halted, and leadership still covers what would be written now.
  bool may_write() const { return !halted && (!covered || covered()); }
  std::function<bool()> covered;

  /// Queues who may start now, and, less urgently, who has moved up.
  void wake_waiting(const std::string& runtime);
  /// The name that admission and metrics use for spec.runtime.
  std::string runtime_name(const api::LoadTestSpec& spec) const;
  /// The object has left the store: what is left of it on the runtimes becomes work of its own.
  void bury(const CachedTest& test);
  /// A run whose object is not in the store at all.
  void bury_orphan(const core::RunId& id, const Runtimes::Known& known);
};

}  // namespace atq::engine
