#include "src/locks/file/file_lock.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "src/base/text.hpp"

namespace atq::locks {

namespace asio = boost::asio;

namespace {

constexpr Duration kRetry = std::chrono::milliseconds(500);

std::string own_name() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) {
    return "pid " + std::to_string(getpid());
  }
  return "pid " + std::to_string(getpid()) + " on " + host.data();
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void reset(int fd = -1) {
    if (fd_ >= 0) {
      ::close(fd_);
    }
    fd_ = fd;
  }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace

struct FileLock::Impl {
  Impl(asio::io_context& context, ports::Clock& clock, std::filesystem::path lock_path)
      : io(context),
        path(std::move(lock_path)),
        timer(clock.make_timer()),
        clock_(clock),
        inotify(io) {}

  /// One try: true where the lock is ours.
  Result<bool> try_once();
  /// Whether the path still names the file that is locked.
  bool is_ours() const;
  Result<void> write_name();
  Task<void> wait_for_change();

  asio::io_context& io;
  std::filesystem::path path;
  std::unique_ptr<ports::Clock::Timer> timer;
  ports::Clock& clock_;
  asio::posix::stream_descriptor inotify;
  Descriptor file;
  bool held = false;
  bool stopped = false;
};

Result<bool> FileLock::Impl::try_once() {
  Descriptor opened(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (opened.get() < 0) {
    return std::unexpected(from_errno(errno, "open " + path.string()));
  }
  if (flock(opened.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK || errno == EINTR) {
      return false;
    }
    return std::unexpected(from_errno(errno, "lock " + path.string()));
  }
  file.reset(opened.release());
  if (!is_ours()) {  // another was faster and has replaced the file
    file.reset();
    return false;
  }
  if (auto written = write_name(); !written) {
    return std::unexpected(written.error());
  }
  return true;
}

bool FileLock::Impl::is_ours() const {
  struct stat locked{};
  struct stat named{};
  return fstat(file.get(), &locked) == 0 && lstat(path.c_str(), &named) == 0 &&
         locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

Result<void> FileLock::Impl::write_name() {
  const std::string name = own_name() + "\n";
  if (ftruncate(file.get(), 0) != 0 ||
      pwrite(file.get(), name.data(), name.size(), 0) != static_cast<ssize_t>(name.size())) {
    return std::unexpected(from_errno(errno, "write " + path.string()));
  }
  return {};
}

Task<void> FileLock::Impl::wait_for_change() {
  std::array<char, 4096> events{};
  boost::system::error_code error;
  co_await inotify.async_read_some(asio::buffer(events),
                                   asio::redirect_error(asio::use_awaitable, error));
}

FileLock::FileLock(asio::io_context& io, ports::Clock& clock, std::filesystem::path path)
    : impl_(std::make_unique<Impl>(io, clock, std::move(path))) {}

FileLock::~FileLock() = default;

AsyncResult<bool> FileLock::acquire() {
  while (!impl_->stopped) {
    auto held = impl_->try_once();
    if (!held) {
      co_return std::unexpected(held.error());
    }
    if (*held) {
      impl_->held = true;
      co_return true;
    }
    const TimePoint next = impl_->clock_.now() + kRetry;
    co_await impl_->timer->wait_until(next);
  }
  co_return false;
}

Task<void> FileLock::lost() {
  Impl& impl = *impl_;
  const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd >= 0 && !impl.stopped) {
    impl.inotify.assign(fd);
    inotify_add_watch(fd, impl.path.c_str(), IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF);
  }
  while (impl.held && !impl.stopped && impl.is_ours()) {
    if (impl.inotify.is_open()) {
      co_await impl.wait_for_change();
    } else {
      const TimePoint next = impl.clock_.now() + std::chrono::seconds(10);
      co_await impl.timer->wait_until(next);
    }
  }
  impl.held = false;
  if (impl.inotify.is_open()) {
    impl.inotify.close();
  }
}

void FileLock::stop() {
  impl_->stopped = true;
  impl_->held = false;
  impl_->file.reset();
  impl_->timer->cancel();
  if (impl_->inotify.is_open()) {
    impl_->inotify.cancel();
  }
}

bool FileLock::still_held() const { return impl_->held; }

Task<void> FileLock::ended() { co_return; }

std::string FileLock::holder() const {
  Descriptor file(::open(impl_->path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  std::array<char, 512> text{};
  const ssize_t size = file.get() < 0 ? -1 : read(file.get(), text.data(), text.size());
  if (size <= 0) {
    return {};
  }
  std::string_view name(text.data(), static_cast<size_t>(size));
  return to_printable(name.substr(0, name.find('\n')));
}

}  // namespace atq::locks
