#include "src/kube/rotating_secret.hpp"

#include <utility>

namespace atq::kube {

RotatingSecret::RotatingSecret(Secret secret, std::chrono::seconds period, Read read)
    : file_(std::move(secret.file)),
      period_(period),
      read_(std::move(read)),
      text_(std::move(secret.text)) {}

Result<void> RotatingSecret::refresh(Steady now) {
  if (file_.empty() || now < due_) return {};
  auto fresh = read_(file_);
  warning_.clear();
  if (fresh) {
    text_ = std::move(*fresh);
    read_at_ = now;
    due_ = now + period_;
    return {};
  }
  if (text_.empty()) return std::unexpected(fresh.error());
  due_ = now + kAfterFailure;
  warning_ = fresh.error().message + "; what was read before is kept";
  return {};
}

void RotatingSecret::forget_read_before(Steady time) {
  if (file_.empty() || read_at_ >= time) return;
  text_.clear();
  due_ = Steady::min();
}

}  // namespace atq::kube
