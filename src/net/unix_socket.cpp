#include "src/net/unix_socket.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace atq::net {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) noexcept : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  int get() const noexcept { return value_; }
  int release() noexcept { return std::exchange(value_, -1); }

 private:
  int value_;
};

sockaddr_un to_sockaddr(const UnixAddress& address) noexcept {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, address.path().c_str(), address.path().size() + 1);
  return out;
}

/// errno of a connect that never blocks; 0: somebody listens.
int probe(const sockaddr_un& address) {
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) {
    return errno;
  }
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(socket.get(), generic, sizeof address) == 0 ? 0 : errno;
}

/// Makes room at `path`: an abandoned socket goes.
Result<void> remove_stale(const std::filesystem::path& path, const UnixAddress& address) {
  struct stat info{};
  if (::lstat(address.path().c_str(), &info) != 0) {
    return {};
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(ErrorKind::Conflict, path.string() + " exists and is no socket: move it away");
  }
  const int error = probe(to_sockaddr(address));
  // EAGAIN: somebody listens and is busy.
  if (error == 0 || error == EAGAIN) {
    return fail(ErrorKind::Conflict, "another process listens on " + path.string());
  }
  if (error != ECONNREFUSED && error != ENOENT) {
    return std::unexpected(from_errno(error, "connect " + path.string()));
  }
  if (::unlink(address.path().c_str()) != 0 && errno != ENOENT) {
    return std::unexpected(from_errno(errno, "remove the stale socket " + path.string()));
  }
  return {};
}

}  // namespace

Result<UnixAddress> UnixAddress::of(const std::filesystem::path& path) {
  if (path.filename().empty()) {
    return fail(ErrorKind::Invalid, "\"" + path.string() + "\" names no socket");
  }
  UnixAddress out;
  out.path_ = path.string();
  if (out.path_.size() < sizeof(sockaddr_un::sun_path)) {
    return out;
  }
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  out.folder_ = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (out.folder_ < 0) {
    return std::unexpected(from_errno(errno, "open " + folder.string()));
  }
  out.path_ = "/proc/self/fd/" + std::to_string(out.folder_) + "/" + path.filename().string();
  if (out.path_.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorKind::Invalid, "the name of the socket " + path.string() + " is too long");
  }
  return out;
}
UnixAddress::UnixAddress(UnixAddress&& other) noexcept
    : path_(std::move(other.path_)), folder_(std::exchange(other.folder_, -1)) {}
UnixAddress::~UnixAddress() {
  if (folder_ >= 0) {
    ::close(folder_);
  }
}

Result<int> listen_unix(const std::filesystem::path& path) {
  const auto address = UnixAddress::of(path);
  if (!address) {
    return std::unexpected(address.error());
  }
  const auto room = remove_stale(path, *address);
  if (!room) {
    return std::unexpected(room.error());
  }
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) {
    return std::unexpected(from_errno(errno, "make a unix socket"));
  }
  const sockaddr_un name = to_sockaddr(*address);
  // Linux gives the file the mode that the socket has when it is bound: it is never open to others.
  if (::fchmod(socket.get(), S_IRUSR | S_IWUSR) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return std::unexpected(from_errno(errno, "listen on " + path.string()));
  }
  return socket.release();
}

}  // namespace atq::net
