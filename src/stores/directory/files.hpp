#pragma once
// Small blocking file-system calls that never follow a link out of a folder, never wait for a FIFO
// or a device, and never show half a file. Called on the store's own threads.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "src/base/error.hpp"

namespace atq::stores::directory {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// What tells that a file has changed without reading it.
struct Stamp {
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;  ///< ctime, which nobody can set back
  int64_t size = 0;
  uint64_t inode = 0;
  bool operator==(const Stamp&) const = default;
};

/// Whether somebody has the file open for writing. Unknown where the kernel does not say (foreign
/// owner, network file system).
enum class Writer { None, Present, Unknown };

struct SourceText {
  std::string text;
  Stamp stamp;
};

/// Result of looking at a source file.
struct Reading {
  enum class State { Ok, Absent, Busy, Young, Refused };
  State state = State::Absent;
  SourceText source;    ///< Ok: the whole; Refused: its stamp where there is one
  std::string message;  ///< Refused: why, for people
};

/// Opens `path` relative to the folder, never outside it (openat2 RESOLVE_BENEATH). Forbidden where
/// it leads out.
Result<Fd> open_beneath(int folder, const std::string& path, int flags);

Result<Fd> open_folder(const std::string& path);

/// Where the regular file `path`, relative to `folder` and never outside it, really lies. NotFound,
/// Forbidden (it leads out), Invalid (no regular file); the messages name file and folder.
Result<std::filesystem::path> find_beneath(const std::string& folder, const std::string& path);

/// Reads a regular file of at most `limit` bytes that nobody is writing. `settle`: where a writer
/// cannot be ruled out, a file changed within the last second counts as Young.
Reading read_source(int folder, const std::string& path, size_t limit, bool settle);

/// True where the last name of `path` exists below the folder, as a link or otherwise.
bool exists(int folder, const std::string& path);

/// Stamp of what `path` leads to; zeros where there is nothing.
Stamp stamp_of(int folder, const std::string& path);

/// Whole content of an open file. Invalid where it has more than `limit` bytes.
Result<std::string> read_all(int fd, size_t limit);

/// Writes a new file, without making it durable. Conflict where the name is taken.
Result<Fd> write_new(int folder, const std::string& name, std::string_view text);

/// Writes `name` through a hidden temporary file: durable, and never seen in part. `exclusive`:
/// Conflict where the name is taken.
Result<void> write_durably(int folder, const std::string& name, std::string_view text,
                           bool exclusive);

/// Now, on the clock of Stamp.
int64_t wall_ns();

/// A random UUID, version 4.
Result<std::string> random_uid();

}  // namespace atq::stores::directory
