#pragma once
// The work queue with waiting: what workers and hints of the engine's thread share.

#include "controller/engine/async_event.hpp"
#include "controller/engine/task_group.hpp"
#include "controller/engine/work_queue.hpp"
#include "controller/ports/clock.hpp"

namespace atq::engine {

class AsyncQueue {
 public:
  /// All must outlive the queue. `observer` may be null.
  AsyncQueue(boost::asio::io_context& io, ports::Clock& clock, QueueObserver* observer);

  void add(const WorkItem& item, Priority priority = Priority::Normal);
  void add_after(const WorkItem& item, Duration delay);
  void retry(const WorkItem& item);
  void forget(const WorkItem& item) { queue_.forget(item); }
  void done(const WorkItem& item);
  /// Waits for the next item; nullopt once it is shut down and nothing is left for this worker.
  Task<std::optional<WorkItem>> next();
  /// Wakes workers for what falls due. Runs until shut_down(); one for the queue.
  Task<void> run_alarms();
  /// See WorkQueue::shut_down().
  void shut_down(bool drain);

  const WorkQueue& state() const noexcept { return queue_; }

 private:
  void rearm();

  ports::Clock& clock_;
  WorkQueue queue_;
  AsyncEvent work_;
  AsyncEvent delays_changed_;
  std::unique_ptr<ports::Clock::Timer> timer_;
  std::optional<TimePoint> armed_for_;
};

}  // namespace atq::engine
