#pragma once
// A replica's folder as its home; the files are described in protocol.hpp.

#include <cstdint>
#include <string>

#include "src/agent/event_loop.hpp"
#include "src/agent/replica_home.hpp"
#include "src/agent/unique_fd.hpp"

namespace atq::agent {

class FolderHome : public ReplicaHome {
 public:
  /// `folder` is absolute and claimed by this process. `loop` outlives it.
  FolderHome(EventLoop& loop, std::string folder, int64_t max_log_bytes);
  ~FolderHome() override;
  FolderHome(const FolderHome&) = delete;
  FolderHome& operator=(const FolderHome&) = delete;

  void await_release(std::function<void()> released) override;
  Result<void> mark_started() override;
  Result<void> mark_ready() override;
  std::unique_ptr<OutputSink> open_output(OutputStream stream, std::function<void()> room) override;

 private:
  void look_for_release();

  EventLoop& loop_;
  const std::string folder_;
  const int64_t max_log_bytes_;
  std::function<void()> released_;
  UniqueFd inotify_;
  EventLoop::Timer timer_;
};

}  // namespace atq::agent
