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
  /// Whether this process leads, by a look at the clock: false from a while before another may
  /// lead. Cheap; asked before each write, since a frozen process learns of its loss only
  /// afterwards.
  virtual bool still_held() const = 0;
  /// Gives it up and makes acquire() and lost() return. Call after the last write.
  virtual void stop() = 0;
  /// After stop(): returns when the lock is given up, as far as it can be. Bounded.
  virtual Task<void> ended() = 0;
  /// Who holds it, for messages: "pid 4711 on host".
  virtual std::string holder() const = 0;
};

}  // namespace atq::ports
