#include "src/stores/directory/files.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <linux/openat2.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace atq::stores::directory {
namespace {

constexpr int64_t kYoungNs = 1'000'000'000;

Stamp to_stamp(const struct stat& info) {
  const auto ns = [](const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
  return {ns(info.st_mtim), ns(info.st_ctim), info.st_size, info.st_ino};
}

/// For kernels and sandboxes without openat2.
Result<Fd> open_checked(int folder, const std::string& path, int flags) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path root =
      fs::read_symlink("/proc/self/fd/" + std::to_string(folder), error).lexically_normal();
  const fs::path target = error ? fs::path() : fs::canonical(root / path, error);
  if (error) return std::unexpected(from_errno(error.value(), "open " + path));
  const auto relative = target.lexically_relative(root);
  if (relative.empty() || *relative.begin() == "..") {
    return fail(ErrorKind::Forbidden, "leads out of the folder");
  }
  Fd fd(::open(target.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return std::unexpected(from_errno(errno, "open " + path));
  return fd;
}

/// A read lease is granted only where nobody has the file open for writing. It is given back at
/// once; SIGURG, which is ignored by default, would be the signal of a writer that comes between.
Writer writer_of(int fd) {
  if (::fcntl(fd, F_SETSIG, SIGURG) != 0) return Writer::Unknown;
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
    ::fcntl(fd, F_SETLEASE, F_UNLCK);
    return Writer::None;
  }
  return errno == EAGAIN ? Writer::Present : Writer::Unknown;
}

std::string_view kind_of(mode_t mode) {
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISDIR(mode)) return "a folder";
  return "no file";
}

Reading refused(std::string message, const Stamp& stamp = {}) {
  return {Reading::State::Refused, {{}, stamp}, std::move(message)};
}

Reading refused_open(const Error& error, const std::string& path, int folder) {
  if (error.kind == ErrorKind::Forbidden) {
    if (error.message.find("leads out") != std::string::npos) {
      return refused("symbolic link leads out of the folder and is not followed; copy the file");
    }
    return refused("cannot be read (permission denied); make it readable for the director");
  }
  if (error.kind == ErrorKind::NotFound) {
    if (exists(folder, path)) return refused("symbolic link to a file that does not exist");
    return {};
  }
  return refused(error.message);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Result<Fd> open_beneath(int folder, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  int fd = -1;
  do {
    fd = static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof(how)));
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  if (fd >= 0) return Fd(fd);
  if (errno == EXDEV) return fail(ErrorKind::Forbidden, "leads out of the folder");
  if (errno == ENOSYS || errno == EPERM) return open_checked(folder, path, flags);
  if (errno == ENOTDIR) return fail(ErrorKind::NotFound, "open " + path + ": no such file");
  return std::unexpected(from_errno(errno, "open " + path));
}

Result<Fd> open_folder(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::unexpected(from_errno(errno, "open folder " + path));
  return fd;
}

Result<std::filesystem::path> find_beneath(const std::string& folder, const std::string& path) {
  const auto opened = open_folder(folder);
  if (!opened) return std::unexpected(opened.error());
  const auto file = open_beneath(opened->get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file && file.error().kind == ErrorKind::NotFound) {
    return fail(ErrorKind::NotFound, "file \"" + path + "\" not found in " + folder);
  }
  if (!file) {
    return fail(file.error().kind,
                "file \"" + path + "\" in " + folder + ": " + file.error().message);
  }
  struct stat info{};
  if (::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return fail(ErrorKind::Invalid, "\"" + path + "\" in " + folder + " is no regular file");
  }
  // Where it really lies, so that a link exchanged later leads nobody astray.
  std::error_code error;
  auto real = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(file->get()), error);
  if (error) return std::unexpected(from_errno(error.value(), "find " + path));
  return real;
}

Result<std::string> read_all(int fd, size_t limit) {
  std::string text;
  struct stat info{};
  if (::fstat(fd, &info) == 0 && info.st_size > 0) {
    text.reserve(std::min(static_cast<size_t>(info.st_size), limit) + 1);
  }
  std::array<char, 16 * 1024> buffer;  // NOLINT: filled by read()
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(from_errno(errno, "read"));
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(n));
    if (text.size() > limit) return fail(ErrorKind::Invalid, "grew too large while it was read");
  }
}

Reading read_source(int folder, const std::string& path, size_t limit, bool settle) {
  // First without opening for real: opening a FIFO or a device can wait or act.
  const auto peek = open_beneath(folder, path, O_PATH);
  if (!peek) return refused_open(peek.error(), path, folder);
  struct stat info{};
  if (::fstat(peek->get(), &info) != 0) return refused(from_errno(errno, "stat").message);
  if (!S_ISREG(info.st_mode)) {
    return refused("is " + std::string(kind_of(info.st_mode)) + ", expected a regular file",
                   to_stamp(info));
  }
  const auto file = open_beneath(folder, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return refused_open(file.error(), path, folder);
  const Writer writer = writer_of(file->get());
  if (writer == Writer::Present) return {Reading::State::Busy, {}, {}};
  if (::fstat(file->get(), &info) != 0) return refused(from_errno(errno, "stat").message);
  const Stamp stamp = to_stamp(info);
  if (!S_ISREG(info.st_mode)) return refused("is no regular file", stamp);
  if (settle && writer == Writer::Unknown && wall_ns() - stamp.changed_ns < kYoungNs) {
    return {Reading::State::Young, {}, {}};
  }
  if (info.st_size > static_cast<off_t>(limit)) {
    return refused(
        "has " + std::to_string(info.st_size) + " bytes, expected at most " + std::to_string(limit),
        stamp);
  }
  auto text = read_all(file->get(), limit);
  if (!text) return refused(text.error().message, stamp);
  if (::fstat(file->get(), &info) != 0 || !(to_stamp(info) == stamp)) {
    return {Reading::State::Busy, {}, {}};
  }
  return {Reading::State::Ok, {std::move(*text), stamp}, {}};
}

bool exists(int folder, const std::string& path) {
  struct stat info{};
  return ::fstatat(folder, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 ||
         (errno != ENOENT && errno != ENOTDIR);
}

Stamp stamp_of(int folder, const std::string& path) {
  struct stat info{};
  if (::fstatat(folder, path.c_str(), &info, 0) == 0) return to_stamp(info);
  if (::fstatat(folder, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return to_stamp(info);
  return {};
}

Result<Fd> write_new(int folder, const std::string& name, std::string_view text) {
  Fd file(::openat(folder, name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  if (!file) return std::unexpected(from_errno(errno, "create " + name));
  while (!text.empty()) {
    const ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::unlinkat(folder, name.c_str(), 0);
      return std::unexpected(from_errno(error, "write " + name));
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
  return file;
}

Result<void> write_durably(int folder, const std::string& name, std::string_view text,
                           bool exclusive) {
  const std::string temporary = ".atq-" + std::to_string(::getpid()) + ".tmp";
  ::unlinkat(folder, temporary.c_str(), 0);
  auto file = write_new(folder, temporary, text);
  if (!file) return std::unexpected(file.error());
  if (::fdatasync(file->get()) != 0) return std::unexpected(from_errno(errno, "sync " + name));
  *file = Fd();
  const unsigned flags = exclusive ? RENAME_NOREPLACE : 0U;
  if (::renameat2(folder, temporary.c_str(), folder, name.c_str(), flags) != 0) {
    const int error = errno;
    ::unlinkat(folder, temporary.c_str(), 0);
    return std::unexpected(from_errno(error, "write " + name));
  }
  if (::fsync(folder) != 0) return std::unexpected(from_errno(errno, "sync the folder"));
  return {};
}

Result<std::string> random_uid() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return std::unexpected(from_errno(errno, "getrandom"));
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0FU) | 0x40U);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3FU) | 0x80U);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[bytes[i] >> 4U];
    text += kDigits[bytes[i] & 0x0FU];
  }
  return text;
}

}  // namespace atq::stores::directory
