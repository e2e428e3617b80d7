#include "controller/engine/event_log.hpp"

#include <algorithm>

#include "controller/engine/log.hpp"
#include "src/base/text.hpp"

namespace atq::engine {

namespace {

bool is_of(const RecordedEvent& event, const std::string& regarding, const std::string& uid) {
  return event.uid == uid && (!uid.empty() || event.regarding == regarding);
}

}  // namespace

void EventLog::emit(const std::string& regarding, const std::string& uid, const core::Event& event,
                    TimePoint at) {
  RecordedEvent record{.regarding = regarding,
                       .uid = uid,
                       .warning = event.warning,
                       .reason = event.reason,
                       .message = truncate(to_printable(event.message), kMaxMessage),
                       .count = 1,
                       .first_at = at,
                       .last_at = at};
  const auto same = std::ranges::find_if(events_, [&](const RecordedEvent& known) {
    return is_of(known, regarding, uid) && known.reason == record.reason &&
           known.message == record.message;
  });
  if (same != events_.end()) {
    record.count = same->count + 1;
    record.first_at = same->first_at;
    events_.erase(same);
  } else {
    log(event.warning ? LogLevel::Warn : LogLevel::Info, record.message,
        {{"key", regarding}, {"reason", record.reason}});
    const auto own = [&](const RecordedEvent& known) { return is_of(known, regarding, uid); };
    if (std::ranges::count_if(events_, own) >= static_cast<std::ptrdiff_t>(kKeptOfOne)) {
      events_.erase(std::ranges::find_if(events_, own));
    }
  }
  events_.push_back(std::move(record));
  if (events_.size() > kKept) {
    events_.pop_front();
  }
}

std::vector<RecordedEvent> EventLog::events(const std::string& uid) const {
  std::vector<RecordedEvent> result;
  std::ranges::copy_if(events_, std::back_inserter(result),
                       [&](const RecordedEvent& event) { return uid.empty() || event.uid == uid; });
  return result;
}

}  // namespace atq::engine
