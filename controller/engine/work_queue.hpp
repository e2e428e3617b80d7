#pragma once
// The three-set work queue of Kubernetes' controllers: at most one worker for an item, no wake-up
// lost, additions coalesced. A pure data structure: time is passed in, nothing waits here
// (async_queue.hpp does). Per-item back-off for what fails.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "controller/api/types.hpp"
#include "src/base/time.hpp"

namespace atq::engine {

/// What is worked on: the object of a key, or what is left on the runtime of one that has gone.
struct WorkItem {
  api::Key key;
  std::string gone_uid;  ///< "" = the object that the store has under `key`
  auto operator<=>(const WorkItem&) const = default;
};

/// "namespace/name", with "(gone UID)" where the object has gone.
std::string to_string(const WorkItem& item);

/// Normal items overtake low ones (the initial list); within one priority first come, first served.
enum class Priority { Normal, Low };

/// Told of what happens, for metrics. Must not call back.
class QueueObserver {
 public:
  virtual ~QueueObserver() = default;
  virtual void added(Priority priority) = 0;
  virtual void taken(Priority priority, Duration waited) = 0;
  virtual void finished(Duration worked) = 0;
  virtual void retried() = 0;
  virtual void depth(Priority priority, size_t items) = 0;
};

class WorkQueue {
 public:
  static constexpr Duration kBaseDelay = std::chrono::milliseconds(5);
  static constexpr Duration kMaxDelay = std::chrono::seconds(1000);

  /// `observer` may be null; else it must outlive the queue.
  explicit WorkQueue(QueueObserver* observer = nullptr) : observer_(observer) {}

  /// Nothing while shutting down or where the item waits already (a Normal add lifts a Low one to
  /// the back of the normal ones); an item under work is queued again by done().
  void add(const WorkItem& item, TimePoint now, Priority priority = Priority::Normal);
  /// Adds at `at`; of several the earliest counts. Taking the item forgets it, as the pass that
  /// follows says itself when it wants to be woken.
  void add_at(const WorkItem& item, TimePoint at);
  /// The next item, which must be given back by done(); nullopt: nothing to do now.
  std::optional<WorkItem> take(TimePoint now);
  void done(const WorkItem& item, TimePoint now);

  /// add_at() after 5 ms x 2^n, at most 1000 s, n being the number of retries since forget().
  void retry(const WorkItem& item, TimePoint now);
  void forget(const WorkItem& item);
  /// Retries since the last forget().
  int failures(const WorkItem& item) const;

  /// Queues what add_at() has made due by now; take() does it too.
  void queue_due(TimePoint now);
  /// When add_at() falls due next; nullopt: never.
  std::optional<TimePoint> next_due() const;

  /// From now on adds are ignored. `drain`: what is queued is still handed out; else it is dropped.
  void shut_down(bool drain);
  bool shutting_down() const noexcept { return shutting_down_; }
  /// Nothing queued and nothing under work.
  bool idle() const noexcept { return dirty_.empty() && processing_.empty(); }

  size_t queued() const noexcept { return queued_[0] + queued_[1]; }
  size_t dirty() const noexcept { return dirty_.size(); }
  size_t processing() const noexcept { return processing_.size(); }
  size_t delayed() const noexcept { return due_.size(); }
  bool is_processing(const WorkItem& item) const { return processing_.contains(item); }
  /// How long the work under way has lasted: the sum over all items and the longest.
  Duration unfinished_work(TimePoint now) const;
  Duration longest_running(TimePoint now) const;

 private:
  struct Dirty {
    Priority priority = Priority::Normal;
    TimePoint since{};
    uint64_t ticket = 0;  // 0: not queued, as it is under work
  };
  struct Place {
    uint64_t ticket = 0;
    WorkItem item;
  };

  void push(const WorkItem& item, Dirty& dirty);
  std::optional<Place> pop(Priority priority);
  void cancel_delay(const WorkItem& item);
  void report_depth();

  QueueObserver* observer_;
  std::deque<Place>
      order_[2];  // by priority; places whose ticket is no longer the item's are stale
  size_t queued_[2] = {0, 0};
  std::map<WorkItem, Dirty> dirty_;
  std::map<WorkItem, TimePoint> processing_;  // since when
  std::map<WorkItem, TimePoint> delays_;
  std::set<std::pair<TimePoint, WorkItem>> due_;
  std::map<WorkItem, int> failures_;
  uint64_t tickets_ = 0;
  bool shutting_down_ = false;
};

}  // namespace atq::engine
