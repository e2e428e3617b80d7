#pragma once
// Which Events are written, and as what: the first of a kind is created, repeats become a series in
// it. Pure. Source: client-go tools/events/event_broadcaster.go (recordToSink, finishSeries,
// refreshExistingEventSeries).

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "src/base/time.hpp"

namespace atq::kube {

struct EventRegarding {
  std::string api_version, kind, ns, name, uid;
  auto operator<=>(const EventRegarding&) const = default;
};

struct EventNote {
  EventRegarding regarding;
  std::string type = "Normal";  ///< or "Warning"
  std::string reason;           ///< CamelCase, what happened: "PodQuotaExceeded"
  std::string action;           ///< CamelCase, what was being done; "" = the reason
  std::string note;             ///< for people; cut to 1 KiB
};

/// Who writes Events.
struct EventReporter {
  std::string controller;  ///< a qualified name: "atq.dev/director"
  std::string instance;    ///< of this process
};

/// One request: POST of the whole, or a merge patch of the series.
struct EventWrite {
  bool create = true;
  std::string ns, name, body;
};

class EventSeries {
 public:
  static constexpr size_t kQueue = 1000;
  static constexpr size_t kKept = 4096;  ///< kinds of events whose repeats are counted
  static constexpr Duration kFinishedAfter = std::chrono::minutes{6};
  static constexpr Duration kRefreshEvery = std::chrono::minutes{30};

  explicit EventSeries(EventReporter reporter) : reporter_(std::move(reporter)) {}

  /// Events of the same regarding, type, reason and action are repeats; the first one's note stays.
  /// `at`: wall clock; `now`: monotonic. False: dropped, the queue is full.
  bool observe(EventNote note, TimePoint at, Duration now);

  /// What to send next, if anything; call done() before asking again.
  std::optional<EventWrite> next(Duration now);
  enum class Outcome { Written, Missing, Failed };  ///< Missing: there is nothing to patch (404)
  void done(Outcome outcome);

  /// Queues series that have not been told for long, and forgets what has ended. Once a minute.
  void sweep(Duration now);

  size_t queued() const noexcept { return queue_.size(); }
  size_t kept() const noexcept { return entries_.size(); }

 private:
  struct Key {
    EventRegarding regarding;
    std::string type, reason, action;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    std::string note, name;
    TimePoint first, last;
    Duration seen{0}, written{0};
    int64_t count = 1, told = 0;  // told: what the server has
    bool created = false, queued = false;
  };
  void enqueue(const Key& key, Entry& entry);
  std::string body_of(const Key& key, const Entry& entry) const;
  std::string new_name(const Key& key, TimePoint at);

  EventReporter reporter_;
  std::map<Key, Entry> entries_;
  std::deque<Key> queue_;
  std::optional<Key> sending_;
  int64_t sending_count_ = 0;
  uint64_t names_ = 0;
};

}  // namespace atq::kube
