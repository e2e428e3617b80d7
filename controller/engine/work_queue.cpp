#include "controller/engine/work_queue.hpp"

#include <algorithm>

namespace atq::engine {

namespace {

constexpr size_t slot(Priority priority) { return priority == Priority::Normal ? 0 : 1; }

}  // namespace

std::string to_string(const WorkItem& item) {
  std::string text = api::to_string(item.key);
  return item.gone_uid.empty() ? text : text + " (gone " + item.gone_uid + ")";
}

void WorkQueue::add(const WorkItem& item, TimePoint now, Priority priority) {
  if (shutting_down_) {
    return;
  }
  const auto [it, fresh] = dirty_.try_emplace(item);
  Dirty& dirty = it->second;
  if (!fresh) {
    const bool lifted = priority == Priority::Normal && dirty.priority == Priority::Low;
    if (lifted) {
      dirty.priority = Priority::Normal;
      if (dirty.ticket != 0) {
        --queued_[slot(Priority::Low)];
        push(item, dirty);
        report_depth();
      }
    }
    return;
  }
  dirty.priority = priority;
  dirty.since = now;
  if (observer_ != nullptr) {
    observer_->added(priority);
  }
  if (!processing_.contains(item)) {
    push(item, dirty);
    report_depth();
  }
}

void WorkQueue::push(const WorkItem& item, Dirty& dirty) {
  dirty.ticket = ++tickets_;
  order_[slot(dirty.priority)].push_back({dirty.ticket, item});
  ++queued_[slot(dirty.priority)];
}

std::optional<WorkQueue::Place> WorkQueue::pop(Priority priority) {
  auto& order = order_[slot(priority)];
  while (!order.empty()) {
    Place place = std::move(order.front());
    order.pop_front();
    const auto it = dirty_.find(place.item);
    if (it != dirty_.end() && it->second.ticket == place.ticket) {
      --queued_[slot(priority)];
      return place;
    }
  }
  return std::nullopt;
}

std::optional<WorkItem> WorkQueue::take(TimePoint now) {
  queue_due(now);
  auto place = pop(Priority::Normal);
  if (!place) {
    place = pop(Priority::Low);
  }
  if (!place) {
    return std::nullopt;
  }
  const WorkItem& item = place->item;
  const auto it = dirty_.find(item);
  if (observer_ != nullptr) {
    observer_->taken(it->second.priority, now - it->second.since);
  }
  dirty_.erase(it);
  processing_.emplace(item, now);
  cancel_delay(item);
  report_depth();
  return item;
}

void WorkQueue::done(const WorkItem& item, TimePoint now) {
  const auto it = processing_.find(item);
  if (it == processing_.end()) {
    return;
  }
  if (observer_ != nullptr) {
    observer_->finished(now - it->second);
  }
  processing_.erase(it);
  if (const auto again = dirty_.find(item); again != dirty_.end()) {
    push(item, again->second);
    report_depth();
  }
}

void WorkQueue::add_at(const WorkItem& item, TimePoint at) {
  if (shutting_down_) {
    return;
  }
  const auto [it, fresh] = delays_.try_emplace(item, at);
  if (!fresh) {
    if (it->second <= at) {
      return;
    }
    due_.erase({it->second, item});
    it->second = at;
  }
  due_.emplace(at, item);
}

void WorkQueue::queue_due(TimePoint now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const WorkItem item = due_.begin()->second;
    cancel_delay(item);
    add(item, now);
  }
}

void WorkQueue::cancel_delay(const WorkItem& item) {
  if (const auto it = delays_.find(item); it != delays_.end()) {
    due_.erase({it->second, item});
    delays_.erase(it);
  }
}

void WorkQueue::retry(const WorkItem& item, TimePoint now) {
  const int failures = failures_[item]++;
  constexpr int kMaxDoublings = 18;  // 5 ms x 2^18 is beyond kMaxDelay
  const Duration delay =
      std::min<Duration>(kBaseDelay * (int64_t{1} << std::min(failures, kMaxDoublings)), kMaxDelay);
  if (observer_ != nullptr) {
    observer_->retried();
  }
  add_at(item, now + delay);
}

void WorkQueue::forget(const WorkItem& item) { failures_.erase(item); }

int WorkQueue::failures(const WorkItem& item) const {
  const auto it = failures_.find(item);
  return it == failures_.end() ? 0 : it->second;
}

std::optional<TimePoint> WorkQueue::next_due() const {
  if (due_.empty()) {
    return std::nullopt;
  }
  return due_.begin()->first;
}

void WorkQueue::shut_down(bool drain) {
  shutting_down_ = true;
  delays_.clear();
  due_.clear();
  if (!drain) {
    dirty_.clear();
    for (const Priority priority : {Priority::Normal, Priority::Low}) {
      order_[slot(priority)].clear();
      queued_[slot(priority)] = 0;
    }
    report_depth();
  }
}

Duration WorkQueue::unfinished_work(TimePoint now) const {
  Duration sum{};
  for (const auto& [item, since] : processing_) {
    sum += now - since;
  }
  return sum;
}

Duration WorkQueue::longest_running(TimePoint now) const {
  Duration longest{};
  for (const auto& [item, since] : processing_) {
    longest = std::max(longest, now - since);
  }
  return longest;
}

void WorkQueue::report_depth() {
  if (observer_ != nullptr) {
    observer_->depth(Priority::Normal, queued_[slot(Priority::Normal)]);
    observer_->depth(Priority::Low, queued_[slot(Priority::Low)]);
  }
}

}  // namespace atq::engine
