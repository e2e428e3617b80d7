#pragma once
// The EventSink of stores that have none of their own: the last events in memory, repeats counted,
// and each new one logged. Writes no file.

#include <deque>

#include "controller/engine/operations.hpp"
#include "controller/ports/event_sink.hpp"

namespace atq::engine {

class EventLog final : public ports::EventSink {
 public:
  static constexpr size_t kKept = 1000;
  static constexpr size_t kKeptOfOne = 20;  ///< of one object or source
  static constexpr size_t kMaxMessage = 1024;

  void emit(const std::string& regarding, const std::string& uid, const core::Event& event,
            TimePoint at) override;

  /// Oldest first (by their last time); "" = all.
  std::vector<RecordedEvent> events(const std::string& uid) const;

 private:
  std::deque<RecordedEvent> events_;
};

}  // namespace atq::engine
