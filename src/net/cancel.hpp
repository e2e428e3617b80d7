#pragma once
// Ends one call from outside. Boost 1.74's coroutines cannot be cancelled: whoever makes the call
// says how its wait is broken off.

#include <functional>
#include <utility>

namespace atq::net {

/// On the loop's thread. Belongs to one call at a time.
class Canceler {
 public:
  /// The call under way ends soon with Canceled, later ones at once.
  void cancel() {
    canceled_ = true;
    if (const auto close = std::exchange(close_, {})) {
      close();
    }
  }
  bool canceled() const noexcept { return canceled_; }

  /// The call's side: `close` is called at most once; {} when the call has ended.
  void on_cancel(std::function<void()> close) { close_ = std::move(close); }

 private:
  std::function<void()> close_;
  bool canceled_ = false;
};

}  // namespace atq::net
