#include "src/agent/spawn.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/agent/unique_fd.hpp"
#include "src/base/text.hpp"

namespace atq::agent {
namespace {

constexpr char kDefaultPath[] = "/usr/local/bin:/usr/bin:/bin";

enum class Step : int { WorkingDir, Terminal, Exec };

/// What the child writes into the pipe when it cannot become the program.
struct Failure {
  Step step;
  int error_number;
};

bool is_file(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void give_up(int pipe_fd, Step step) {
  const Failure failure{step, errno};
  [[maybe_unused]] const ssize_t count = ::write(pipe_fd, &failure, sizeof failure);
  ::_exit(127);
}

// Between fork and exec: system calls only, no allocation.
void take_output(const SpawnRequest& request, int null_fd, int pipe_fd) {
  if (request.terminal_fd >= 0) {
    ::setsid();
    if (::ioctl(request.terminal_fd, TIOCSCTTY, 0) != 0) give_up(pipe_fd, Step::Terminal);
    for (int fd = 0; fd <= 2; ++fd) ::dup2(request.terminal_fd, fd);
    return;
  }
  ::setpgid(0, 0);
  ::dup2(null_fd, 0);
  ::dup2(request.stdout_fd, 1);
  ::dup2(request.stderr_fd, 2);
}

void reset_signals() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGCHLD, SIGPIPE}) {
    ::signal(number, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become(const SpawnRequest& request, char* const* argv, char* const* envp,
                         pid_t parent, int null_fd, int pipe_fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before the line above
  take_output(request, null_fd, pipe_fd);
  if (::chdir(request.working_dir.c_str()) != 0) give_up(pipe_fd, Step::WorkingDir);
  reset_signals();
  ::execve(request.file.c_str(), argv, envp);
  give_up(pipe_fd, Step::Exec);
}

std::string exec_problem(const SpawnRequest& request, int error_number) {
  const std::string& name = request.command.front();
  switch (error_number) {
    case ENOEXEC:
      return name + ": not executable: exec format error (" + request.file +
             " is neither a program for this machine nor a script that begins with #!)";
    case ENOENT:
      return name + ": " + request.file +
             " exists, but the interpreter or loader it names does not";
    case EACCES:
      return name + ": permission denied (" + request.file + ")";
    case E2BIG:
      return name + ": arguments and environment are longer than the system allows";
    default:
      return from_errno(error_number, name).message;
  }
}

std::string explain(const SpawnRequest& request, const Failure& failure) {
  switch (failure.step) {
    case Step::WorkingDir:
      return from_errno(failure.error_number, "working folder " + request.working_dir).message;
    case Step::Terminal:
      return from_errno(failure.error_number, "take the pseudo-terminal").message;
    case Step::Exec:
      return exec_problem(request, failure.error_number);
  }
  return {};
}

}  // namespace

Result<std::string> find_executable(const std::string& name,
                                    const std::map<std::string, std::string>& environment,
                                    const std::string& working_dir) {
  const auto with_slash = [&](const std::string& path) {
    return path.starts_with('/') ? path : working_dir + "/" + path;
  };
  if (name.find('/') != std::string::npos) {
    std::string path = with_slash(name);
    if (!is_file(path)) return fail(ErrorKind::NotFound, name + ": no such file");
    if (::access(path.c_str(), X_OK) == 0) return path;
    return fail(ErrorKind::Forbidden, name + ": permission denied (it is not executable)");
  }
  const auto found = environment.find("PATH");
  const std::string path_value = found == environment.end() ? kDefaultPath : found->second;
  std::string forbidden;
  for (const std::string& folder : split(path_value, ':')) {
    std::string path = with_slash((folder.empty() ? "." : folder) + "/" + name);
    if (!is_file(path)) continue;
    if (::access(path.c_str(), X_OK) == 0) return path;
    if (forbidden.empty()) forbidden = path;
  }
  if (!forbidden.empty()) {
    return fail(ErrorKind::Forbidden,
                name + ": permission denied (" + forbidden + " is not executable)");
  }
  return fail(ErrorKind::NotFound, name + ": not found in PATH (" + path_value + ")");
}

Result<pid_t> spawn(const SpawnRequest& request) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : request.environment) variables.push_back(name + "=" + value);
  const std::vector<char*> argv = pointers(request.command);
  const std::vector<char*> envp = pointers(variables);
  const UniqueFd null_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  int ends[2];
  if (!null_fd || ::pipe2(ends, O_CLOEXEC) != 0) {
    return std::unexpected(from_errno(errno, "prepare the start of " + request.command.front()));
  }
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return std::unexpected(from_errno(errno, "fork for " + request.command.front()));
  if (pid == 0) {
    become(request, argv.data(), envp.data(), parent, null_fd.get(), write_end.get());
  }
  write_end.reset();
  // The pipe closes without a word when exec succeeds.
  Failure failure{};
  ssize_t count = 0;
  do {
    count = ::read(read_end.get(), &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return pid;
  ::waitpid(pid, nullptr, 0);
  return fail(ErrorKind::Invalid, explain(request, failure));
}

}  // namespace atq::agent
