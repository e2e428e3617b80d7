#pragma once
// Events for the log of this process and for the store's own sink.

#include "controller/ports/event_sink.hpp"

namespace atq::engine {

class EventTee final : public ports::EventSink {
 public:
  /// Both must outlive it; `store` may be null.
  EventTee(ports::EventSink& log, ports::EventSink* store) : log_(log), store_(store) {}

  void emit(const std::string& regarding, const std::string& uid, const core::Event& event,
            TimePoint at) override {
    log_.emit(regarding, uid, event, at);
    if (store_ != nullptr) {
      store_->emit(regarding, uid, event, at);
    }
  }

 private:
  ports::EventSink& log_;
  ports::EventSink* store_;
};

}  // namespace atq::engine
