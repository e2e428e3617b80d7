#pragma once
// Unix sockets by path, of any length: a path too long for sockaddr_un is reached through a
// descriptor of its folder.

#include <filesystem>
#include <sys/un.h>

#include "src/base/error.hpp"

namespace atq::net {

/// A socket's path in a form that fits; keeps the folder open while it lives. Movable.
class UnixAddress {
 public:
  /// NotFound where the folder of `path` does not exist; Invalid for an empty path.
  static Result<UnixAddress> of(const std::filesystem::path& path);
  UnixAddress(UnixAddress&& other) noexcept;
  UnixAddress(const UnixAddress&) = delete;
  UnixAddress& operator=(UnixAddress&&) = delete;
  UnixAddress& operator=(const UnixAddress&) = delete;
  ~UnixAddress();

  const std::string& path() const noexcept { return path_; }

 private:
  UnixAddress() = default;
  std::string path_;
  int folder_ = -1;
};

/// A listening socket of mode 0600 at `path`, non-blocking; the caller owns the descriptor. A stale
/// socket (nobody listens) is replaced. Conflict: somebody listens, or `path` is no socket.
Result<int> listen_unix(const std::filesystem::path& path);

}  // namespace atq::net
