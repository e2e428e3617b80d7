#pragma once
// Who may act. A lease is no fence: see Release in core/plan.hpp for what keeps a frozen leader
// harmless.

#include <string>

#include "controller/ports/task.hpp"

namespace atq::ports {

class LeaderLock {
 public:
  virtual ~LeaderLock() = default;
  /// Waits until this process leads (true) or stop() is called (false). Errors: the lock cannot
  /// work at all.
  virtual AsyncResult<bool> acquire() = 0;
  /// Returns when leadership is lost; never while it is held, until stop().
  virtual Task<void> lost() = 0;
  /// Gives it up and makes acquire() and lost() return. Call after the last write.
  virtual void stop() = 0;
  /// Who holds it, for messages: "pid 4711 on host".
  virtual std::string holder() const = 0;
};

}  // namespace atq::ports
