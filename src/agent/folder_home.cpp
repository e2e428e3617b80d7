#include "src/agent/folder_home.hpp"

#include <array>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <utility>

#include "src/agent/files.hpp"
#include "src/agent/output.hpp"
#include "src/agent/replica_folder.hpp"
#include "src/agent/wall_clock.hpp"

namespace atq::agent {
namespace {

class LogFile : public OutputSink {
 public:
  LogFile(std::string path, int64_t limit) : log_(std::move(path), limit) {}
  bool append(std::string_view bytes) override {
    log_.append(bytes);
    return true;
  }

 private:
  BoundedLog log_;
};

}  // namespace

FolderHome::FolderHome(EventLoop& loop, std::string folder, int64_t max_log_bytes)
    : loop_(loop), folder_(std::move(folder)), max_log_bytes_(max_log_bytes) {}

FolderHome::~FolderHome() {
  loop_.cancel(timer_);
  if (inotify_) loop_.unwatch(inotify_.get());
}

void FolderHome::await_release(std::function<void()> released) {
  released_ = std::move(released);
  inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (inotify_ &&
      ::inotify_add_watch(inotify_.get(), folder_.c_str(), IN_CREATE | IN_MOVED_TO) >= 0) {
    loop_.watch(inotify_.get(), EPOLLIN, [this](uint32_t) {
      alignas(inotify_event) std::array<char, 4096> buffer;
      while (::read(inotify_.get(), buffer.data(), buffer.size()) > 0) {
      }
      look_for_release();
    });
  } else {
    inotify_.reset();
  }
  look_for_release();
}

void FolderHome::look_for_release() {
  if (!is_released(folder_)) {
    // Users have few inotify instances; without one, look often enough not to be seen as late.
    // With one, look now and then all the same: some file systems tell nothing.
    const std::chrono::milliseconds next(inotify_ ? 1000 : 2);
    loop_.cancel(timer_);
    timer_ = loop_.after(next, [this] { look_for_release(); });
    return;
  }
  // Only unwatched: closing an inotify descriptor waits some milliseconds for the kernel's readers,
  // and now the tool's start is what counts.
  if (inotify_) loop_.unwatch(inotify_.get());
  loop_.cancel(timer_);
  if (const auto released = std::exchange(released_, nullptr)) released();
}

Result<void> FolderHome::mark_started() {
  return create_exclusive(folder_ + "/" + kStartedFile, encode(describe_self(wall_clock_us())));
}

Result<void> FolderHome::mark_ready() { return create_exclusive(folder_ + "/" + kReadyFile, ""); }

std::unique_ptr<OutputSink> FolderHome::open_output(OutputStream stream, std::function<void()>) {
  const char* name = stream == OutputStream::Stdout ? kStdoutFile : kStderrFile;
  return std::make_unique<LogFile>(folder_ + "/" + name, max_log_bytes_);
}

}  // namespace atq::agent
