#pragma once
// Writes Events (events.k8s.io/v1) without ever holding up whoever has something to say: a bounded
// queue, one writer, repeats counted in series (event_series.hpp). What cannot be written is
// dropped.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "src/kube/client.hpp"
#include "src/kube/event_series.hpp"
#include "src/kube/timing.hpp"

namespace atq::kube {

class EventRecorder {
 public:
  /// `note` takes what a log should have. `timing`: null for the executor's timers.
  EventRecorder(boost::asio::any_io_executor executor, Client& client, EventReporter reporter,
                std::function<void(const std::string&)> note, uint64_t seed,
                std::shared_ptr<Timing> timing = nullptr);
  /// run() must have ended.
  ~EventRecorder();
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;

  /// Returns at once. `at`: the wall clock's time of it.
  void record(EventNote note, TimePoint at);

  /// Writes until stop(). A write is tried 12 times, 10 s apart or as the server asks, where the
  /// server cannot be reached or is busy.
  Task<void> run();
  /// run() ends with the request under way; what is queued is dropped.
  void stop();

  struct Counts {
    uint64_t written = 0, dropped = 0;
  };
  Counts counts() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::kube
