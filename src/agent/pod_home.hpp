#pragma once
// A container as a replica's home: output to the container's own streams, the release by HTTP.

#include <string>
#include <string_view>

#include "src/agent/event_loop.hpp"
#include "src/agent/replica_home.hpp"

namespace atq::agent {

/// Keeps nothing: a pod that restarts nothing (restartPolicy Never) starts its tool once.
class PodHome : public ReplicaHome {
 public:
  explicit PodHome(EventLoop& loop) : loop_(loop) {}

  void await_release(std::function<void()> released) override;
  Result<void> mark_started() override { return {}; }
  Result<void> mark_ready() override { return {}; }
  std::unique_ptr<OutputSink> open_output(OutputStream stream, std::function<void()> room) override;

  /// Starts the tool if it waits for that; harmless when it was told before.
  void release();

 private:
  EventLoop& loop_;
  std::function<void()> released_;
};

}  // namespace atq::agent
