#pragma once
// Waiting, for what watches and retries in here; tests give a virtual one.

#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

#include "src/base/time.hpp"
#include "src/net/task.hpp"

namespace atq::kube {

class Timing {
 public:
  virtual ~Timing() = default;

  /// Since any moment; never goes back.
  virtual Duration now() const = 0;

  class Alarm {
   public:
    virtual ~Alarm() = default;
    /// Ends early with cancel(). One wait at a time.
    virtual net::Task<void> wait(Duration time) = 0;
    virtual void cancel() = 0;
  };
  virtual std::unique_ptr<Alarm> make_alarm() = 0;
};

/// The monotonic clock, and timers of the executor.
std::shared_ptr<Timing> steady_timing(boost::asio::any_io_executor executor);

}  // namespace atq::kube
