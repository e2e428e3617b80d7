#pragma once
// Leadership by flock on a file in the data folder: one director a folder. The kernel gives the
// lock up when the process ends, however it ends, and nothing takes it from a living one, so it is
// lost only where the file is removed or replaced under it. Not for network file systems.

#include <filesystem>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "controller/ports/clock.hpp"
#include "controller/ports/leader_lock.hpp"

namespace atq::locks {

class FileLock final : public ports::LeaderLock {
 public:
  /// The lock is `path`, made if it does not exist; its folder must exist. `io` and `clock` must
  /// outlive it.
  FileLock(boost::asio::io_context& io, ports::Clock& clock, std::filesystem::path path);
  ~FileLock() override;

  /// Waits for the holder's end, looking every 500 ms. Forbidden, Invalid, Internal: the file
  /// cannot be opened or locked.
  AsyncResult<bool> acquire() override;
  /// Looks at the file when the kernel tells of a change to it (inotify); costs nothing at idle.
  Task<void> lost() override;
  bool still_held() const override;
  void stop() override;
  Task<void> ended() override;
  /// "pid 4711 on host", as the holder wrote it; "" where nobody has held it.
  std::string holder() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::locks
