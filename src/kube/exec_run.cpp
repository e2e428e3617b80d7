#include "src/kube/exec_run.hpp"

#include <csignal>
#include <fcntl.h>
#include <optional>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atq::kube {
namespace {

namespace asio = boost::asio;

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

/// posix_spawn's two helpers, freed at the end.
struct SpawnPlan {
  SpawnPlan(int output) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    // Asio's sockets are not closed on exec.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    ::sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    ::sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

}  // namespace

struct ExecRun::Impl : std::enable_shared_from_this<ExecRun::Impl> {
  Impl(asio::any_io_executor executor, ExecCommand given)
      : command(std::move(given)), output(executor), exited(executor), timer(executor) {}

  ExecCommand command;
  asio::posix::stream_descriptor output, exited;
  asio::steady_timer timer;
  pid_t pid = 0;                 ///< 0: not started, or reaped
  std::optional<Error> stopped;  ///< why it was killed

  Result<void> start();
  void kill(Error why);
  void set_deadline();
  net::Task<Result<std::string>> read_output();
  net::Task<int> wait_for_exit();
};

Result<void> ExecRun::Impl::start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(from_errno(errno, "make a pipe"));
  output.assign(ends[0]);
  std::vector<std::string> words{command.program};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  const SpawnPlan plan(ends[1]);
  const int error = ::posix_spawnp(&pid, command.program.c_str(), &plan.actions, &plan.attributes,
                                   pointers(words).data(), pointers(command.environment).data());
  ::close(ends[1]);
  if (error != 0) {
    pid = 0;
    return std::unexpected(from_errno(error, "cannot be started"));
  }
  const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    const Error failed = from_errno(errno, "cannot be waited for");
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
    return std::unexpected(failed);
  }
  exited.assign(pidfd);
  return {};
}

void ExecRun::Impl::kill(Error why) {
  if (stopped) return;
  stopped = std::move(why);
  if (pid > 0) ::kill(-pid, SIGKILL);
  // What has left the group may hold the pipe open.
  boost::system::error_code ignored;
  output.close(ignored);
}

void ExecRun::Impl::set_deadline() {
  timer.expires_after(command.timeout);
  timer.async_wait([self = shared_from_this()](const boost::system::error_code& code) {
    if (code || self->pid == 0) return;
    self->kill({ErrorKind::Timeout,
                "has not ended within " + std::to_string(self->command.timeout.count()) + " ms",
                std::nullopt});
  });
}

net::Task<Result<std::string>> ExecRun::Impl::read_output() {
  std::string out;
  std::array<char, 4096> piece;
  while (output.is_open()) {
    boost::system::error_code code;
    const size_t size = co_await output.async_read_some(
        asio::buffer(piece), asio::redirect_error(asio::use_awaitable, code));
    if (code) break;
    out.append(piece.data(), size);
    if (out.size() > command.max_output) {
      kill({ErrorKind::Invalid,
            "printed more than " + std::to_string(command.max_output) + " bytes", std::nullopt});
    }
  }
  co_return out;
}

net::Task<int> ExecRun::Impl::wait_for_exit() {
  boost::system::error_code ignored;
  co_await exited.async_wait(asio::posix::stream_descriptor::wait_read,
                             asio::redirect_error(asio::use_awaitable, ignored));
  int status = 0;
  ::waitpid(pid, &status, 0);
  pid = 0;
  co_return status;
}

ExecRun::ExecRun(asio::any_io_executor executor, ExecCommand command)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(command))) {}

ExecRun::~ExecRun() = default;

net::Task<Result<std::string>> ExecRun::run() {
  const auto impl = impl_;
  if (impl->stopped) co_return std::unexpected(*impl->stopped);
  const auto started = impl->start();
  if (!started) co_return std::unexpected(started.error());
  impl->set_deadline();
  auto output = co_await impl->read_output();
  const int status = co_await impl->wait_for_exit();
  impl->timer.cancel();
  if (impl->stopped) co_return std::unexpected(*impl->stopped);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) co_return output;
  co_return fail(ErrorKind::Unavailable,
                 WIFEXITED(status) ? "ended with code " + std::to_string(WEXITSTATUS(status))
                                   : "was ended by signal " + std::to_string(WTERMSIG(status)));
}

void ExecRun::stop() { impl_->kill({ErrorKind::Canceled, "was stopped", std::nullopt}); }

}  // namespace atq::kube
