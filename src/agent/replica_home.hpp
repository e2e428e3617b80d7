#pragma once
// What surrounds a replica: where its release comes from, what is kept of it, where its output
// goes. A folder under `exec`, a container under `pod`.

#include <functional>
#include <memory>
#include <string_view>

#include "src/base/error.hpp"

namespace atq::agent {

/// Where one of the tool's output streams goes.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  /// Takes all of the bytes. False: no more until the sink's `room` callback; the tool waits
  /// meanwhile, as it would at a full pipe.
  virtual bool append(std::string_view bytes) = 0;
  /// The stream has ended: waits, bounded, until what was taken has gone out.
  virtual void finish() {}
};

enum class OutputStream { Stdout, Stderr };

/// Outlives the supervisor that uses it; one thread, that of the loop.
class ReplicaHome {
 public:
  virtual ~ReplicaHome() = default;
  /// Calls `released` once, when the tool may start: from within this call or later from the loop.
  virtual void await_release(std::function<void()> released) = 0;
  /// Right before the tool starts. Conflict: it was started before, nothing may run.
  virtual Result<void> mark_started() = 0;
  /// Readiness has held.
  virtual Result<void> mark_ready() = 0;
  /// `room` is called from the loop after append() returned false.
  virtual std::unique_ptr<OutputSink> open_output(OutputStream stream,
                                                  std::function<void()> room) = 0;
};

}  // namespace atq::agent
