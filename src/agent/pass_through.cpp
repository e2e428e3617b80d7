#include "src/agent/pass_through.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>

namespace atq::agent {
namespace {

/// A pipe that polls as writable takes this much without blocking (pipe(7), PIPE_BUF).
constexpr size_t kPiece = 4096;
constexpr std::chrono::seconds kFinishLimit(5);

bool wait_writable(int fd, std::chrono::milliseconds limit) {
  pollfd entry{fd, POLLOUT, 0};
  return ::poll(&entry, 1, static_cast<int>(limit.count())) == 1;
}

}  // namespace

PassThrough::PassThrough(EventLoop& loop, int fd, std::function<void()> room)
    : loop_(loop), fd_(fd), room_(std::move(room)) {}

PassThrough::~PassThrough() {
  if (watched_) loop_.unwatch(fd_);
}

bool PassThrough::append(std::string_view bytes) {
  if (broken_) return true;
  pending_.append(bytes);
  write_some();
  if (pending_.empty()) return true;
  if (watched_) return false;
  try {
    loop_.watch(fd_, EPOLLOUT, [this](uint32_t) {
      write_some();
      if (!pending_.empty()) return;
      loop_.unwatch(fd_);
      watched_ = false;
      room_();
    });
    watched_ = true;
  } catch (const std::system_error&) {
    // Nothing that epoll knows, such as a second sink on the same descriptor's file.
    finish();
    return true;
  }
  return false;
}

void PassThrough::write_some() {
  using std::chrono::milliseconds;
  while (written_ < pending_.size() && wait_writable(fd_, milliseconds(0))) {
    const size_t size = std::min(kPiece, pending_.size() - written_);
    const ssize_t count = ::write(fd_, pending_.data() + written_, size);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0 && errno != EINTR) {
      broken_ = true;
      written_ = pending_.size();
    }
    if (count > 0) written_ += static_cast<size_t>(count);
  }
  if (written_ < pending_.size()) return;
  pending_.clear();
  written_ = 0;
}

void PassThrough::finish() {
  const auto deadline = Clock::now() + kFinishLimit;
  while (!pending_.empty() && Clock::now() < deadline) {
    wait_writable(fd_, std::chrono::milliseconds(100));
    write_some();
  }
}

}  // namespace atq::agent
