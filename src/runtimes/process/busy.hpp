#pragma once
// Internal to the process runtime: what stop() waits for.

#include "src/proc/offload.hpp"
#include "src/runtimes/process/runtime_impl.hpp"

namespace atq::process {

class ProcessRuntime::Impl::Busy {
 public:
  explicit Busy(Impl& owner) : owner_(owner.shared_from_this()) { ++owner_->busy_; }
  ~Busy() {
    if (--owner_->busy_ == 0 && owner_->idle_) owner_->idle_->cancel();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::shared_ptr<Impl> owner_;
};

}  // namespace atq::process
