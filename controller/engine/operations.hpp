#pragma once
// What people and programs may ask of a running director: the in-process side of the REST API and
// of `atq`. Abstract, so that the server and the command line are tested against a fake; the real
// one (director_operations.hpp) is thin over cache, store and runtime. All calls on the engine's
// thread; references stay valid until the manager has stopped.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/engine/cached_test.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/store.hpp"
#include "controller/ports/task.hpp"

namespace atq::engine {

using CachedTestPtr = std::shared_ptr<const CachedTest>;

/// All objects at one moment, in the order of their keys.
struct Listing {
  uint64_t resource_version = 0;  ///< changes_since() of it misses nothing and repeats nothing
  std::vector<CachedTestPtr> items;
};

enum class ChangeType { Added, Modified, Deleted };  ///< in JSON: ADDED, MODIFIED, DELETED

/// One change to one object. It carries no object: read it with get(); what is newer than the
/// change is then seen at once, and its own Change follows.
struct Change {
  ChangeType type = ChangeType::Added;
  uint64_t resource_version = 0;
  api::Key key;
  std::string uid;
  bool operator==(const Change&) const = default;
};

/// An event for people, repeats counted.
struct RecordedEvent {
  std::string regarding;  ///< "namespace/name", or the source it is about
  std::string uid;        ///< "" where it is about no object
  bool warning = false;
  std::string reason;
  std::string message;
  int count = 1;
  TimePoint first_at{}, last_at{};
  bool operator==(const RecordedEvent&) const = default;
};

/// Ends the subscription when destroyed. May be destroyed inside its own callback and after the
/// manager.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

/// For /healthz and /readyz.
struct Health {
  bool leading = false;  ///< the lock is held
  bool synced = false;   ///< the store has told the whole truth once
  bool running = false;  ///< reconcilers work
  bool overdue = false;  ///< the lock is ours by name, but not renewed in time
  std::string holder;    ///< who holds the lock, for messages; "" = nobody that we know of
};

class Operations {
 public:
  virtual ~Operations() = default;

  virtual Health health() const = 0;
  /// "" = all namespaces.
  virtual Listing list(const std::string& ns) const = 0;
  /// nullptr where there is none.
  virtual CachedTestPtr get(const api::Key& key) const = 0;
  /// Oldest first; "" = all that are kept.
  virtual std::vector<RecordedEvent> events(const std::string& uid) const = 0;
  /// What stands in the store and is no LoadTest.
  virtual std::vector<ports::SourceProblem> problems() const = 0;

  /// Changes after `resource_version`, in order; Gone where they are no longer kept (list again).
  virtual Result<std::vector<Change>> changes_since(uint64_t resource_version) const = 0;
  /// `callback` is called on each change, on the engine's thread, never from within this call. It
  /// must not block or throw.
  virtual std::unique_ptr<Subscription> subscribe(std::function<void(const Change&)> callback) = 0;

  /// Writes through to the store; see ports::Store for the errors. resource_version in these is the
  /// store's.
  virtual AsyncResult<ports::StoredTest> create(const api::LoadTest& test) = 0;
  virtual AsyncResult<ports::StoredTest> replace(const api::LoadTest& test) = 0;
  virtual AsyncResult<void> remove(const api::Key& key) = 0;

  /// Asks the present run to stop; gives the request's value ("4/Graceful"). NotFound: no such
  /// object; Conflict: no run to stop (none begun, or finished). Stopping again is success; `now`
  /// overtakes a graceful stop.
  virtual AsyncResult<std::string> request_stop(const api::Key& key, bool now) = 0;
  /// Asks for one more run; gives the request's token, which status.run.rerunToken repeats once it
  /// is served. NotFound.
  virtual AsyncResult<std::string> request_rerun(const api::Key& key) = 0;

  /// Output of one replica of run `run` (0: the latest). NotFound.
  virtual AsyncResult<void> stream_logs(const api::Key& key, int64_t run,
                                        const ports::LogOptions& options,
                                        ports::Runtime::LogWriter write) = 0;

  /// All metrics in Prometheus' text format 0.0.4.
  virtual std::string metrics() const = 0;
};

}  // namespace atq::engine
