#pragma once
// The tool's output, handed on unchanged and at once.

#include <string>

#include "src/agent/event_loop.hpp"
#include "src/agent/replica_home.hpp"

namespace atq::agent {

/// Writes to a descriptor of the caller's without ever blocking the loop, and without making it
/// non-blocking, since others may share its description. When its reader is slow it holds what it
/// was given and says so; when the reader is gone it drops everything.
class PassThrough : public OutputSink {
 public:
  PassThrough(EventLoop& loop, int fd, std::function<void()> room);
  ~PassThrough() override;
  PassThrough(const PassThrough&) = delete;
  PassThrough& operator=(const PassThrough&) = delete;

  bool append(std::string_view bytes) override;
  /// Waits at most 5 seconds.
  void finish() override;

 private:
  void write_some();

  EventLoop& loop_;
  const int fd_;
  const std::function<void()> room_;
  std::string pending_;
  size_t written_ = 0;  ///< of pending_
  bool watched_ = false;
  bool broken_ = false;
};

}  // namespace atq::agent
