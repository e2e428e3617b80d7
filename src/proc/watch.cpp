#include "src/proc/watch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/inotify.h>
#include <unistd.h>
#include <utility>

namespace atq::proc {

ProcessWatch::ProcessWatch(boost::asio::io_context& loop, UniqueFd pidfd,
                           std::function<void()> ended)
    : pidfd_(std::move(pidfd)),
      descriptor_(loop, pidfd_.get()),
      ended_(std::make_shared<std::function<void()>>(std::move(ended))) {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [weak = std::weak_ptr(ended_)](boost::system::error_code error) {
                           const auto callback = weak.lock();
                           if (callback && !error) (*callback)();
                         });
}

ProcessWatch::~ProcessWatch() { descriptor_.release(); }

Result<std::unique_ptr<FolderWatch>> FolderWatch::open(boost::asio::io_context& loop,
                                                       Callback callback) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    return std::unexpected(from_errno(
        errno, "inotify_init (raise fs.inotify.max_user_instances where it is exhausted)"));
  }
  return std::unique_ptr<FolderWatch>(new FolderWatch(loop, fd, std::move(callback)));
}

FolderWatch::FolderWatch(boost::asio::io_context& loop, int fd, Callback callback)
    : descriptor_(loop, fd), callback_(std::make_shared<Callback>(std::move(callback))) {
  wait();
}

FolderWatch::~FolderWatch() = default;

Result<int> FolderWatch::add(const std::filesystem::path& folder, uint32_t mask) {
  const int watch = ::inotify_add_watch(descriptor_.native_handle(), folder.c_str(),
                                        mask | IN_ONLYDIR | IN_DONT_FOLLOW);
  if (watch >= 0) return watch;
  std::string what = "watch " + folder.native();
  if (errno == ENOSPC) what += " (raise fs.inotify.max_user_watches)";
  return std::unexpected(from_errno(errno, what));
}

void FolderWatch::remove(int watch) noexcept {
  ::inotify_rm_watch(descriptor_.native_handle(), watch);
}

void FolderWatch::wait() {
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this, weak = std::weak_ptr(callback_)](boost::system::error_code error) {
                           const auto callback = weak.lock();
                           if (!callback || error) return;
                           const int fd = descriptor_.native_handle();
                           const auto alive = [&weak] { return weak.use_count() > 1; };
                           if (drain(callback, fd) && alive()) wait();
                         });
}

bool FolderWatch::drain(const std::shared_ptr<Callback>& callback, int fd) {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    for (size_t at = 0; at < static_cast<size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* name = buffer.data() + at + sizeof(event);
      const std::string_view entry = event.len == 0 ? "" : std::string_view(name);
      at += sizeof(event) + event.len;
      if ((event.mask & IN_IGNORED) != 0) continue;
      (*callback)((event.mask & IN_Q_OVERFLOW) != 0 ? -1 : event.wd, entry, event.mask);
      if (callback.use_count() == 1) return false;
    }
  }
}

}  // namespace atq::proc
