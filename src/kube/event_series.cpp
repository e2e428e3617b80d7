#include "src/kube/event_series.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/base/hash.hpp"
#include "src/base/text.hpp"
#include "src/kube/resource.hpp"

namespace atq::kube {

namespace {

using Json = nlohmann::json;

// kubernetes/kubernetes pkg/apis/core/validation/events.go
constexpr size_t kMaxNote = 1024;
constexpr size_t kMaxField = 128;
constexpr size_t kMaxNameStem = 200;

Json series_of(int64_t count, TimePoint last) {
  return {{"count", count}, {"lastObservedTime", to_rfc3339_micros(last)}};
}

}  // namespace

bool EventSeries::observe(EventNote note, TimePoint at, Duration now) {
  const std::string action = note.action.empty() ? note.reason : note.action;
  Key key{std::move(note.regarding), std::move(note.type), truncate(note.reason, kMaxField),
          truncate(action, kMaxField)};
  const auto it = entries_.find(key);
  if (it != entries_.end()) {
    Entry& known = it->second;
    ++known.count;
    known.last = at;
    known.seen = now;
    // The second one begins the series at once; what follows is told now and then.
    if (known.told == 1) {
      enqueue(key, known);
    }
    return true;
  }
  if (queue_.size() >= kQueue || entries_.size() >= kKept) {
    return false;
  }
  Entry entry{.note = truncate(note.note, kMaxNote),
              .name = new_name(key, at),
              .first = at,
              .last = at,
              .seen = now,
              .written = now};
  enqueue(key, entries_.emplace(key, std::move(entry)).first->second);
  return true;
}

void EventSeries::enqueue(const Key& key, Entry& entry) {
  if (!std::exchange(entry.queued, true)) {
    queue_.push_back(key);
  }
}

/// Unique among the events of the object; the object's own name makes it readable.
std::string EventSeries::new_name(const Key& key, TimePoint at) {
  const auto micros = static_cast<uint64_t>(at.time_since_epoch().count());
  const std::string stem = key.regarding.name.substr(0, kMaxNameStem);
  return stem + '.' + to_hex(micros) + to_hex(fnv1a(reporter_.instance) + ++names_).substr(8);
}

std::optional<EventWrite> EventSeries::next(Duration now) {
  while (!queue_.empty() && !sending_) {
    Key key = std::move(queue_.front());
    queue_.pop_front();
    const auto it = entries_.find(key);
    if (it == entries_.end()) {
      continue;
    }
    Entry& entry = it->second;
    entry.queued = false;
    entry.written = now;
    sending_count_ = entry.count;
    EventWrite write{.create = !entry.created,
                     .ns = key.regarding.ns.empty() ? "default" : key.regarding.ns,
                     .name = entry.name};
    write.body = write.create ? body_of(key, entry)
                              : Json{{"series", series_of(entry.count, entry.last)}}.dump();
    sending_ = std::move(key);
    return write;
  }
  return std::nullopt;
}

std::string EventSeries::body_of(const Key& key, const Entry& entry) const {
  const EventRegarding& about = key.regarding;
  Json regarding{{"apiVersion", about.api_version}, {"kind", about.kind}, {"name", about.name}};
  if (!about.ns.empty()) {
    regarding["namespace"] = about.ns;
  }
  if (!about.uid.empty()) {
    regarding["uid"] = about.uid;
  }
  Json body{{"apiVersion", api_version(kEvents)},
            {"kind", kEvents.kind},
            {"metadata", {{"name", entry.name}}},
            {"eventTime", to_rfc3339_micros(entry.first)},
            {"reportingController", reporter_.controller},
            {"reportingInstance", truncate(reporter_.instance, kMaxField)},
            {"type", key.type},
            {"reason", key.reason},
            {"action", key.action},
            {"note", entry.note},
            {"regarding", std::move(regarding)}};
  if (entry.count > 1) {
    body["series"] = series_of(entry.count, entry.last);
  }
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void EventSeries::done(Outcome outcome) {
  if (!sending_) {
    return;
  }
  const Key key = *std::exchange(sending_, std::nullopt);
  const auto it = entries_.find(key);
  if (it == entries_.end()) {
    return;
  }
  Entry& entry = it->second;
  switch (outcome) {
    case Outcome::Failed:
      entries_.erase(it);
      return;
    case Outcome::Missing:
      // Deleted, or its time on the server is over: begin anew.
      entry.created = false;
      entry.told = 0;
      entry.name = new_name(key, entry.last);
      return enqueue(key, entry);
    case Outcome::Written:
      entry.created = true;
      entry.told = sending_count_;
      if (entry.told == 1 && entry.count > 1) {
        enqueue(key, entry);  // repeated while it was being created
      }
      return;
  }
}

void EventSeries::sweep(Duration now) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    auto& [key, entry] = *it;
    const bool finished = now - entry.seen >= kFinishedAfter;
    const bool told = entry.told == entry.count;
    if (!told && (finished || now - entry.written >= kRefreshEvery)) {
      enqueue(key, entry);
    }
    const bool idle = !entry.queued && sending_ != key;
    it = finished && told && idle ? entries_.erase(it) : std::next(it);
  }
}

}  // namespace atq::kube
