#include "controller/engine/async_queue.hpp"

namespace atq::engine {

AsyncQueue::AsyncQueue(boost::asio::io_context& io, ports::Clock& clock, QueueObserver* observer)
    : clock_(clock), queue_(observer), work_(io), delays_changed_(io), timer_(clock.make_timer()) {}

void AsyncQueue::add(const WorkItem& item, Priority priority) {
  queue_.add(item, clock_.now(), priority);
  work_.notify_all();
}

void AsyncQueue::add_after(const WorkItem& item, Duration delay) {
  queue_.add_at(item, clock_.now() + delay);
  rearm();
}

void AsyncQueue::retry(const WorkItem& item) {
  queue_.retry(item, clock_.now());
  rearm();
}

void AsyncQueue::done(const WorkItem& item) {
  queue_.done(item, clock_.now());
  work_.notify_all();
}

Task<std::optional<WorkItem>> AsyncQueue::next() {
  while (true) {
    if (auto item = queue_.take(clock_.now())) {
      co_return item;
    }
    // While others still work, their items may be queued again by done().
    if (queue_.shutting_down() && queue_.idle()) {
      work_.notify_all();
      co_return std::nullopt;
    }
    co_await work_.wait();
  }
}

void AsyncQueue::rearm() {
  const auto due = queue_.next_due();
  if (due && (!armed_for_ || *due < *armed_for_)) {
    armed_for_ = due;
    timer_->cancel();
    delays_changed_.notify_all();
  }
}

Task<void> AsyncQueue::run_alarms() {
  while (!queue_.shutting_down()) {
    armed_for_ = queue_.next_due();
    if (!armed_for_) {
      co_await delays_changed_.wait();
      continue;
    }
    const TimePoint at = *armed_for_;
    const bool due = co_await timer_->wait_until(at);
    if (due) {
      queue_.queue_due(clock_.now());
      work_.notify_all();
    }
  }
}

void AsyncQueue::shut_down(bool drain) {
  queue_.shut_down(drain);
  timer_->cancel();
  work_.notify_all();
  delays_changed_.notify_all();
}

}  // namespace atq::engine
