#include <algorithm>
#include <array>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>

#include "src/agent/replica_folder.hpp"
#include "src/proc/files.hpp"
#include "src/runtimes/process/busy.hpp"
#include "src/runtimes/process/runtime_impl.hpp"

namespace atq::process {
namespace fs = std::filesystem;
namespace {

constexpr size_t kPiece = 64 * 1024;
constexpr size_t kMaxTail = 4 << 20;

/// A growing log file that its writer may move to *.1 and begin anew.
class Follower {
 public:
  explicit Follower(fs::path path) : path_(std::move(path)) {}

  /// The next piece; empty where nothing is new.
  std::string read() {
    if (!fd_) open();
    std::string piece = read_piece();
    if (piece.empty() && fd_ && was_moved()) {
      open();
      piece = read_piece();
    }
    return piece;
  }

  /// Skips what has been shown.
  void begin_at(uint64_t offset) {
    if (!fd_) open();
    offset_ = offset;
  }

  uint64_t size() {
    if (!fd_) open();
    struct stat status{};
    return fd_ && ::fstat(fd_.get(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  }

 private:
  void open() {
    fd_ = proc::UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    offset_ = 0;
  }

  std::string read_piece() {
    std::string piece(kPiece, '\0');
    const ssize_t got =
        fd_ ? ::pread(fd_.get(), piece.data(), piece.size(), static_cast<off_t>(offset_)) : 0;
    piece.resize(static_cast<size_t>(std::max<ssize_t>(0, got)));
    offset_ += piece.size();
    return piece;
  }

  bool was_moved() const {
    struct stat here{}, there{};
    return ::fstat(fd_.get(), &here) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
           (here.st_ino != there.st_ino || here.st_dev != there.st_dev);
  }

  fs::path path_;
  proc::UniqueFd fd_;
  uint64_t offset_ = 0;
};

/// Where the last `lines` lines of a text begin.
size_t last_lines(std::string_view text, size_t lines) {
  size_t at = text.size();
  if (at > 0 && text[at - 1] == '\n') --at;
  for (; lines > 0 && at > 0; --lines) {
    const size_t end = text.rfind('\n', at - 1);
    if (end == std::string_view::npos) return 0;
    if (lines == 1) return end + 1;
    at = end;
  }
  return 0;
}

/// Tells that something in a folder was written to, whoever is first.
struct Alarm {
  explicit Alarm(boost::asio::io_context& loop)
      : timer(loop, boost::asio::steady_timer::time_point::max()) {}
  boost::asio::steady_timer timer;
  bool rang = false;

  void ring() {
    rang = true;
    timer.cancel();
  }
  Task<void> wait() {
    boost::system::error_code canceled;
    if (!rang) {
      co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, canceled));
    }
    rang = false;
  }
};

/// Rings the alarm when the run changes, for as long as it lives.
class Listener {
 public:
  Listener(RunPtr run, const std::shared_ptr<Alarm>& alarm) : run_(std::move(run)) {
    place_ = run_->listeners.insert(run_->listeners.end(), [alarm] { alarm->ring(); });
  }
  ~Listener() { run_->listeners.erase(place_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  RunPtr run_;
  std::list<std::function<void()>>::iterator place_;
};

}  // namespace

AsyncResult<void> stream_logs(boost::asio::io_context& loop, RunPtr run, ReplicaEntry* replica,
                              ports::LogOptions options, ports::Runtime::LogWriter write) {
  const fs::path folder = run->folder.replica(replica->role, replica->index);
  const auto alarm = std::make_shared<Alarm>(loop);
  const Listener listener(run, alarm);
  std::unique_ptr<proc::FolderWatch> watch;
  if (options.follow && !replica->exit) {
    auto opened =
        proc::FolderWatch::open(loop, [alarm](int, std::string_view, uint32_t) { alarm->ring(); });
    if (!opened) co_return std::unexpected(opened.error());
    watch = std::move(*opened);
    const auto added = watch->add(folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF);
    if (!added) co_return std::unexpected(added.error());
  }
  std::array<Follower, 2> files{Follower(folder / agent::kStdoutFile),
                                Follower(folder / agent::kStderrFile)};
  for (size_t i = 0; i < files.size() && options.tail_lines > 0; ++i) {
    const char* name = i == 0 ? agent::kStdoutFile : agent::kStderrFile;
    const auto tail = proc::read_tail(folder / name, kMaxTail);
    const size_t text = tail ? tail->size() : 0;
    const size_t skip = tail ? last_lines(*tail, options.tail_lines) : 0;
    const uint64_t size = files[i].size();
    files[i].begin_at(size < text ? 0 : size - (text - skip));
  }
  for (size_t i = 0; i < files.size() && options.tail_lines == 0; ++i) {
    Follower rotated(folder /
                     (std::string(i == 0 ? agent::kStdoutFile : agent::kStderrFile) + ".1"));
    for (std::string piece = rotated.read(); !piece.empty(); piece = rotated.read()) {
      const bool go_on = co_await write(piece);
      if (!go_on) co_return Result<void>();
    }
  }
  for (;;) {
    const bool last = !watch || replica->exit || run->removed || run->closed;
    for (auto& file : files) {
      for (std::string piece = file.read(); !piece.empty(); piece = file.read()) {
        const bool go_on = co_await write(piece);
        if (!go_on) co_return Result<void>();
      }
    }
    if (last) co_return Result<void>();
    co_await alarm->wait();
  }
}

AsyncResult<void> ProcessRuntime::Impl::logs(core::RunId id, ports::LogOptions options,
                                             LogWriter write) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunPtr& run = *found;
  const auto replicas = run->replicas(options.role);
  const bool known = options.index >= 0 && static_cast<size_t>(options.index) < replicas.size() &&
                     replicas[static_cast<size_t>(options.index)]->created;
  if (!known) {
    co_return fail(ErrorKind::NotFound, "run " + std::to_string(id.number) + " has no " +
                                            std::string(core::to_string(options.role)) + " " +
                                            std::to_string(options.index));
  }
  auto* replica = replicas[static_cast<size_t>(options.index)];
  auto streaming = stream_logs(loop_, run, replica, options, std::move(write));
  auto done = co_await std::move(streaming);
  co_return done;
}

}  // namespace atq::process
