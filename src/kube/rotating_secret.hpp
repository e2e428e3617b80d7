#pragma once
// A text that lives in a file and is read again now and then, as tokens and certificates rotate.
// Source: client-go transport/token_source.go, ca_rotation.go, cert_rotation.go.

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include "src/kube/kubeconfig.hpp"

namespace atq::kube {

using Steady = std::chrono::steady_clock::time_point;

inline constexpr std::chrono::seconds kTokenPeriod{50};  ///< 60 s with a leeway of 10 s
inline constexpr std::chrono::seconds kPemPeriod{300};
inline constexpr std::chrono::seconds kAfterFailure{10};

class RotatingSecret {
 public:
  using Read = std::function<Result<std::string>(const std::string& path)>;

  /// Without a file the text never changes.
  RotatingSecret(Secret secret, std::chrono::seconds period, Read read);

  /// Reads the file where that is due, on the calling thread: small files of our own machine. An
  /// error only where there is no text at all; else the old one is kept and `warning()` says why.
  Result<void> refresh(Steady now);

  const std::string& text() const noexcept { return text_; }
  /// Why the last refresh() kept an old text; "" = it did not.
  const std::string& warning() const noexcept { return warning_; }

  /// The server has refused it: a text read before `time` counts no more.
  void forget_read_before(Steady time);
  /// What was read does not fit to what else was read: the file is soon read again.
  void read_again_by(Steady time) noexcept { due_ = std::min(due_, time); }

 private:
  std::string file_;
  std::chrono::seconds period_;
  Read read_;
  std::string text_;
  std::string warning_;
  Steady read_at_ = Steady::min();
  Steady due_ = Steady::min();
};

}  // namespace atq::kube
