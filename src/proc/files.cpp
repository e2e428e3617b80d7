#include "src/proc/files.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>

#include "src/proc/fd.hpp"

namespace atq::proc {
namespace fs = std::filesystem;
namespace {

std::unexpected<Error> failed(int error_number, std::string_view what, const fs::path& path) {
  return std::unexpected(
      from_errno(error_number, std::string(what) + " " + std::string(path.native())));
}

Result<UniqueFd> open_regular(const fs::path& path, off_t* size) {
  // O_NONBLOCK: a FIFO in the place of a file must not hang us.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return failed(errno, "open", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return failed(errno, "stat", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorKind::Invalid, path.native() + " is no regular file; remove it");
  }
  *size = status.st_size;
  return fd;
}

Result<std::string> read_from(int fd, off_t offset, size_t want, const fs::path& path) {
  std::string content(want, '\0');
  size_t have = 0;
  while (have < want) {
    const ssize_t got =
        ::pread(fd, content.data() + have, want - have, offset + static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(errno, "read", path);
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  content.resize(have);
  return content;
}

Result<void> write_all(int fd, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd, content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failed(errno, "write", path);
    content.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

/// A name that no other thread or process of now uses; the leftovers of a crash are overwritten.
fs::path temporary_beside(const fs::path& path) {
  static std::atomic<uint64_t> counter{0};
  return path.parent_path() /
         ("." + path.filename().native() + "." + std::to_string(::getpid()) + "." +
          std::to_string(counter.fetch_add(1, std::memory_order_relaxed)) + ".tmp");
}

Result<fs::path> write_temporary(const fs::path& path, std::string_view content,
                                 Durability durability, unsigned mode) {
  fs::path temporary = temporary_beside(path);
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                     static_cast<mode_t>(mode)));
  if (!fd) return failed(errno, "create", temporary);
  Result<void> done = write_all(fd.get(), content, temporary);
  if (done && durability == Durability::Durable && ::fsync(fd.get()) != 0) {
    done = failed(errno, "fsync", temporary);
  }
  if (!done) {
    ::unlink(temporary.c_str());
    return std::unexpected(done.error());
  }
  return temporary;
}

}  // namespace

Result<std::string> read_file(const fs::path& path, size_t max_bytes) {
  off_t size = 0;
  const auto fd = open_regular(path, &size);
  if (!fd) return std::unexpected(fd.error());
  if (static_cast<size_t>(size) > max_bytes) {
    return fail(ErrorKind::Invalid, path.native() + " has " + std::to_string(size) +
                                        " bytes, at most " + std::to_string(max_bytes) +
                                        " are expected");
  }
  return read_from(fd->get(), 0, static_cast<size_t>(size), path);
}

Result<std::string> read_tail(const fs::path& path, size_t max_bytes) {
  off_t size = 0;
  const auto fd = open_regular(path, &size);
  if (!fd && fd.error().kind == ErrorKind::NotFound) return std::string();
  if (!fd) return std::unexpected(fd.error());
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(max_bytes));
  return read_from(fd->get(), from, static_cast<size_t>(size - from), path);
}

Result<void> write_atomic(const fs::path& path, std::string_view content, Durability durability,
                          unsigned mode) {
  const auto temporary = write_temporary(path, content, durability, mode);
  if (!temporary) return std::unexpected(temporary.error());
  if (::rename(temporary->c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(temporary->c_str());
    return failed(error_number, "rename to", path);
  }
  if (durability == Durability::Durable) return sync_folder(path.parent_path());
  return {};
}

Result<bool> write_once(const fs::path& path, std::string_view content) {
  const auto temporary = write_temporary(path, content, Durability::Plain, 0644);
  if (!temporary) return std::unexpected(temporary.error());
  const bool ours = ::link(temporary->c_str(), path.c_str()) == 0;
  const int error_number = errno;
  ::unlink(temporary->c_str());
  if (!ours && error_number != EEXIST) return failed(error_number, "create", path);
  return ours;
}

Result<bool> create_marker(const fs::path& path) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (fd) return true;
  if (errno == EEXIST) return false;
  return failed(errno, "create", path);
}

bool exists(const fs::path& path) noexcept {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

Result<void> make_folders(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return {};
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    if (auto parent = make_folders(path.parent_path()); !parent) return parent;
    if (::mkdir(path.c_str(), 0755) == 0) return {};
  }
  if (errno != EEXIST) return failed(errno, "create folder", path);
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return failed(errno, "stat", path);
  if (S_ISDIR(status.st_mode)) return {};
  return fail(ErrorKind::Forbidden, path.native() + " is no folder (a link or a file); remove it");
}

Result<void> sync_folder(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed(errno, "open folder", path);
  if (::fsync(fd.get()) != 0) return failed(errno, "fsync folder", path);
  return {};
}

Result<void> copy_file(const fs::path& from, const fs::path& to, unsigned mode) {
  off_t size = 0;
  const auto source = open_regular(from, &size);
  if (!source) return std::unexpected(source.error());
  const UniqueFd target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                               static_cast<mode_t>(mode)));
  if (!target) return failed(errno, "create", to);
  bool by_kernel = true;
  for (off_t done = 0;;) {
    ssize_t moved = -1;
    if (by_kernel) {
      off_t offset = done;
      moved = ::copy_file_range(source->get(), &offset, target.get(), nullptr, 1 << 30, 0);
      if (moved < 0 &&
          (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
        by_kernel = false;
        continue;
      }
      if (moved < 0 && errno != EINTR) return failed(errno, "copy to", to);
    } else {
      const auto piece = read_from(source->get(), done, size_t{1} << 20, from);
      if (!piece) return std::unexpected(piece.error());
      if (auto written = write_all(target.get(), *piece, to); !written) return written;
      moved = static_cast<ssize_t>(piece->size());
    }
    if (moved == 0) return {};
    if (moved > 0) done += moved;
  }
}

Result<std::vector<std::string>> list_folder(const fs::path& path, size_t max_entries) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return failed(errno, "open folder", path);
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(fd), ::closedir);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() == max_entries) {
      return fail(ErrorKind::Invalid,
                  path.native() + " holds more than " + std::to_string(max_entries) + " entries");
    }
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

namespace {

/// Removes `name` below `parent`. Bounded in depth, as a tool may have nested folders at will.
Result<void> remove_entry(int parent, const char* name, int depth) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return failed(errno, "remove", name);
  if (depth > 1000) {
    return fail(ErrorKind::Invalid, std::string("folders nested more than 1000 deep at ") + name);
  }
  const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return failed(errno, "open folder", name);
  ::fchmod(fd, 0700);
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(fd), ::closedir);
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view child = entry->d_name;
    if (child == "." || child == "..") continue;
    if (auto removed = remove_entry(fd, entry->d_name, depth + 1); !removed) return removed;
  }
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return failed(errno, "remove folder", name);
  }
  return {};
}

}  // namespace

Result<void> remove_tree(const fs::path& path) {
  auto removed = remove_entry(AT_FDCWD, path.c_str(), 0);
  // Something may have written while we removed; a second look is enough where nothing runs.
  if (!removed) removed = remove_entry(AT_FDCWD, path.c_str(), 0);
  return removed;
}

}  // namespace atq::proc
