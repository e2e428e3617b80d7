#include "src/agent/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace atq::agent {
namespace {

std::unexpected<Error> fail_errno(std::string_view what) {
  return std::unexpected(from_errno(errno, what));
}

Result<void> write_new(const std::string& path, std::string_view bytes, bool durable) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return fail_errno("create " + path);
  if (auto written = write_all(fd.get(), bytes, path); !written) return written;
  if (durable && ::fsync(fd.get()) != 0) return fail_errno("sync " + path);
  return {};
}

void sync_folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());
}

}  // namespace

Result<std::string> read_whole(const std::string& path, size_t limit) {
  // Non-blocking: a FIFO in place of the file must not hold us.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail_errno("open " + path);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("stat " + path);
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::Invalid, path + " is not a regular file");
  std::string bytes;
  char buffer[16 << 10];
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read " + path);
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(count));
    if (bytes.size() > limit) {
      return fail(ErrorKind::Invalid,
                  path + " has more than the " + std::to_string(limit) + " bytes allowed");
    }
  }
}

Result<void> write_by_rename(const std::string& path, std::string_view bytes, bool durable) {
  const std::string temporary = path + ".tmp";
  if (auto written = write_new(temporary, bytes, durable); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno("rename to " + path);
  if (durable) sync_folder_of(path);
  return {};
}

Result<void> create_exclusive(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  auto written = write_new(temporary, bytes, false);
  if (written && ::link(temporary.c_str(), path.c_str()) != 0) written = fail_errno("link " + path);
  ::unlink(temporary.c_str());
  if (written || written.error().kind == ErrorKind::Conflict) return written;
  // A file system without hard links, or a full one: exclusive, though for an instant empty.
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return fail_errno("create " + path);
  return write_all(fd.get(), bytes, path);
}

Result<void> write_all(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("write " + std::string(what));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<void> lock_exclusive(int fd, std::string_view path) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return {};
  if (errno == EAGAIN || errno == EACCES) {
    return fail(ErrorKind::Conflict, std::string(path) + " is locked by another process");
  }
  return fail_errno("lock " + std::string(path));
}

bool is_locked(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct flock lock{};
  // A read lock conflicts with the holder's write lock and needs no write permission to ask for.
  lock.l_type = F_RDLCK;
  return fd && ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace atq::agent
