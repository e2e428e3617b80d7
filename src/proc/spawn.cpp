#include "src/proc/spawn.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/proc/process.hpp"

namespace atq::proc {
namespace {

/// Everything the child needs, made before vfork(): the child may not allocate.
struct Prepared {
  std::string program;
  std::vector<std::string> texts;
  std::vector<char*> arguments, environment;
  UniqueFd input, output, network_namespace;
  std::vector<UniqueFd> cgroups;
};

std::vector<char*> pointers(std::vector<std::string>& texts, size_t from, size_t to) {
  std::vector<char*> out;
  out.reserve(to - from + 1);
  for (size_t i = from; i < to; ++i) out.push_back(texts[i].data());
  out.push_back(nullptr);
  return out;
}

Result<Prepared> prepare(const SpawnSpec& spec) {
  Prepared made;
  made.program = spec.program.native();
  made.texts.push_back(made.program);
  for (const auto& argument : spec.arguments) made.texts.push_back(argument);
  const size_t arguments = made.texts.size();
  for (const auto& [name, value] : spec.environment) {
    made.texts.push_back(name + "=" + value);
  }
  made.arguments = pointers(made.texts, 0, arguments);
  made.environment = pointers(made.texts, arguments, made.texts.size());
  made.input = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string output = spec.output.empty() ? "/dev/null" : spec.output.native();
  made.output = UniqueFd(
      ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!made.input || !made.output) {
    return std::unexpected(from_errno(errno, "open " + output));
  }
  for (const auto& path : spec.cgroups) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd) made.cgroups.push_back(std::move(fd));
  }
  if (!spec.network_namespace.empty()) {
    made.network_namespace = UniqueFd(::open(spec.network_namespace.c_str(), O_RDONLY | O_CLOEXEC));
    if (!made.network_namespace) {
      return std::unexpected(from_errno(errno, "open " + spec.network_namespace.native()));
    }
  }
  return made;
}

/// In the child, which borrows our memory until it executes: system calls only.
[[noreturn]] void become(const Prepared& made, volatile int* error_number) {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  ::setsid();
  for (const auto& cgroup : made.cgroups) {
    [[maybe_unused]] const ssize_t joined = ::write(cgroup.get(), "0", 1);
  }
  const bool placed =
      (!made.network_namespace || ::setns(made.network_namespace.get(), CLONE_NEWNET) == 0) &&
      ::dup2(made.input.get(), 0) >= 0 && ::dup2(made.output.get(), 1) >= 0 &&
      ::dup2(made.output.get(), 2) >= 0 && ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (placed) {
    ::execve(made.program.c_str(), made.arguments.data(), made.environment.data());
  }
  *error_number = errno;
  ::_exit(127);
}

}  // namespace

Result<Child> spawn(const SpawnSpec& spec) {
  const auto made = prepare(spec);
  if (!made) return std::unexpected(made.error());
  volatile int error_number = 0;
  // No handler of ours may run in the child while it shares our memory.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // posix_spawn knows no cgroup or namespace, and become() makes system calls only.
  // NOLINTBEGIN(bugprone-unsafe-functions,clang-analyzer-*ork)
  const pid_t pid = ::vfork();
  if (pid == 0) become(*made, &error_number);
  // NOLINTEND(bugprone-unsafe-functions,clang-analyzer-*ork)
  const int fork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return std::unexpected(from_errno(fork_error, "start " + made->program));
  }
  if (error_number != 0) {
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(from_errno(error_number, "start " + made->program));
  }
  auto pidfd = open_child(pid);
  if (!pidfd) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return std::unexpected(pidfd.error());
  }
  return Child{pid, std::move(*pidfd)};
}

std::optional<ChildExit> reap(const UniqueFd& pidfd) noexcept {
  siginfo_t info{};
  const auto id = static_cast<id_t>(pidfd.get());
  if (::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return std::nullopt;
  if (info.si_code == CLD_EXITED) return ChildExit{info.si_status, 0};
  return ChildExit{128 + info.si_status, info.si_status};
}

}  // namespace atq::proc
