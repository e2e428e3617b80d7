#pragma once
// The kernel's word that something happened, on the event loop: a process has ended (pidfd), a
// folder has changed (inotify). No polling. Single thread; nothing is called after destruction.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "src/base/error.hpp"
#include "src/proc/fd.hpp"

namespace atq::proc {

/// Calls once when the process of a pidfd has ended.
class ProcessWatch {
 public:
  ProcessWatch(boost::asio::io_context& loop, UniqueFd pidfd, std::function<void()> ended);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  const UniqueFd& pidfd() const { return pidfd_; }

 private:
  UniqueFd pidfd_;
  boost::asio::posix::stream_descriptor descriptor_;  // refers to pidfd_, gives it back
  std::shared_ptr<std::function<void()>> ended_;
};

/// One inotify instance for many folders.
class FolderWatch {
 public:
  /// `watch` is what add() gave, `name` the entry (valid during the call), `mask` inotify's. Events
  /// were lost where `watch` is -1: look everywhere.
  using Callback = std::function<void(int watch, std::string_view name, uint32_t mask)>;

  /// Unavailable where the machine has no inotify instance left (fs.inotify.max_user_instances).
  static Result<std::unique_ptr<FolderWatch>> open(boost::asio::io_context& loop,
                                                   Callback callback);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  /// `mask`: IN_CREATE and so on. The same folder gives the same number again.
  Result<int> add(const std::filesystem::path& folder, uint32_t mask);
  void remove(int watch) noexcept;

 private:
  FolderWatch(boost::asio::io_context& loop, int fd, Callback callback);
  void wait();
  /// False: the object was destroyed by a callback.
  static bool drain(const std::shared_ptr<Callback>& callback, int fd);

  boost::asio::posix::stream_descriptor descriptor_;
  std::shared_ptr<Callback> callback_;
};

}  // namespace atq::proc
