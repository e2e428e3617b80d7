#include "src/agent/signals.hpp"

#include <cerrno>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace atq::agent {

Signals::Signals(std::initializer_list<int> numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw std::system_error(errno, std::generic_category(), "signalfd");
}

void Signals::watch(EventLoop& loop, std::function<void(int)> callback) {
  loop.watch(fd_.get(), EPOLLIN, [this, callback = std::move(callback)](uint32_t) {
    signalfd_siginfo info{};
    while (::read(fd_.get(), &info, sizeof info) == sizeof info) {
      callback(static_cast<int>(info.ssi_signo));
    }
  });
}

bool is_now_signal(int number) {
  return number == SIGINT || number == SIGUSR1 || number == SIGQUIT;
}

bool is_stop_signal(int number) {
  return number == SIGTERM || number == SIGHUP || is_now_signal(number);
}

ParentWatch::ParentWatch(EventLoop& loop, int parent, std::function<void()> gone) {
  const int present = ::getppid();
  const int wanted = parent == 0 ? present : parent;
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, wanted, 0)));
  if (!pidfd_ && errno == ENOSYS) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  // Asked after the watch stands, so that no death falls in between.
  if (::getppid() != wanted) {
    loop.after(std::chrono::milliseconds(0), std::move(gone));
  } else if (pidfd_) {
    loop.watch(pidfd_.get(), EPOLLIN, [this, &loop, gone = std::move(gone)](uint32_t) {
      const auto call = gone;  // unwatch ends the captures' life
      loop.unwatch(pidfd_.get());
      call();
    });
  }
}

}  // namespace atq::agent
