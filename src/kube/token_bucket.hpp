#pragma once
// A client-side rate limit, as client-go's util/flowcontrol. Pure.

#include <algorithm>
#include <chrono>

namespace atq::kube {

class TokenBucket {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `per_second` 0: no limit.
  TokenBucket(int per_second, int burst)
      : per_second_(per_second), burst_(std::max(burst, 1)), tokens_(burst_) {}

  /// Takes one token and gives how long to wait for it. Those who wait are served in order.
  std::chrono::microseconds take(Time now) {
    if (per_second_ <= 0) return {};
    const double passed = std::chrono::duration<double>(now - last_).count();
    tokens_ = last_ == Time{} ? burst_ : std::min<double>(burst_, tokens_ + passed * per_second_);
    last_ = now;
    tokens_ -= 1;
    if (tokens_ >= 0) return {};
    return std::chrono::microseconds(static_cast<int64_t>(-tokens_ / per_second_ * 1e6));
  }
  /// Gives back a token that was not used, as the wait for it would have been too long.
  void give_back() { tokens_ += per_second_ > 0 ? 1 : 0; }

 private:
  int per_second_;
  int burst_;
  double tokens_;
  Time last_{};
};

}  // namespace atq::kube
