#pragma once
// Events for people: what happened to an object, with repeats counted. Never blocks, never fails; a
// full sink drops.

#include <string>

#include "controller/api/types.hpp"
#include "controller/core/plan.hpp"
#include "controller/ports/task.hpp"

namespace atq::ports {

class EventSink {
 public:
  virtual ~EventSink() = default;
  /// `uid` may be empty where the event is about a source that is no object; then `regarding` names
  /// it.
  virtual void emit(const std::string& regarding, const std::string& uid, const core::Event& event,
                    TimePoint at) = 0;
  /// Delivers what was emitted, until stop(); a sink that delivers at once has nothing to run.
  virtual Task<void> run() { co_return; }
  virtual void stop() {}
};

}  // namespace atq::ports
