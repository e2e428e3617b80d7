// The try "exec": a command, its exit code and its output.

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <optional>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "src/agent/attempt.hpp"
#include "src/agent/spawn.hpp"
#include "src/base/expand.hpp"
#include "src/base/time.hpp"

namespace atq::agent {
namespace {

/// The commands under way, with their wait status once they have been reaped. For the process, as
/// its children are.
std::map<pid_t, std::optional<int>>& commands() {
  static std::map<pid_t, std::optional<int>> instance;
  return instance;
}

/// Takes in every child that has ended: also what commands left behind, which comes to us as the
/// subreaper and would stay as a zombie.
void reap_all() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto found = commands().find(pid);
    if (found != commands().end()) found->second = status;
  }
}

class ExecAttempt : public Attempt {
 public:
  ExecAttempt(EventLoop& loop, const Check& check, AttemptDone done)
      : loop_(loop), check_(check), done_(std::move(done)) {
    soon_ = loop_.after(std::chrono::milliseconds(0), [this] { begin(); });
  }
  ~ExecAttempt() override { clean_up(); }
  ExecAttempt(const ExecAttempt&) = delete;
  ExecAttempt& operator=(const ExecAttempt&) = delete;

 private:
  static constexpr size_t kMaxOutputBytes = 64 << 10;

  void begin() {
    const std::string problem = start_command();
    if (!problem.empty()) return finish(problem);
    timeout_ = loop_.after(std::chrono::milliseconds(check_.target.timeout_ms), [this] {
      finish("timed out after " + to_human(std::chrono::milliseconds(check_.target.timeout_ms)));
    });
    loop_.watch(output_.get(), EPOLLIN, [this](uint32_t) { read_output(); });
    loop_.watch(pidfd_.get(), EPOLLIN, [this](uint32_t) { ended(); });
  }

  std::string start_command() {
    SpawnRequest request{.environment = check_.target.environment, .working_dir = "/"};
    for (const std::string& text : check_.target.command) {
      request.command.push_back(expand_variables(text, request.environment));
    }
    auto file = find_executable(request.command.front(), request.environment, request.working_dir);
    if (!file) return file.error().message;
    request.file = *std::move(file);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return from_errno(errno, "pipe").message;
    output_.reset(ends[0]);
    const UniqueFd write_end(ends[1]);
    // Non-blocking is for our end alone: it would surprise the command.
    ::fcntl(write_end.get(), F_SETFL, 0);
    request.stdout_fd = request.stderr_fd = write_end.get();
    const auto pid = spawn(request);
    if (!pid) return pid.error().message;
    pid_ = *pid;
    commands().emplace(pid_, std::nullopt);
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!pidfd_) return from_errno(errno, "pidfd_open").message;
    return {};
  }

  void read_output() {
    std::array<char, 16'384> buffer;
    const ssize_t count = ::read(output_.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return loop_.unwatch(output_.get());
    const size_t room = kMaxOutputBytes - text_.size();
    text_.append(buffer.data(), std::min(static_cast<size_t>(count), room));
  }

  void ended() {
    reap_all();
    const auto status = commands()[pid_];
    if (!status) return;
    forget_command();
    for (int i = 0; i < 8 && text_.size() < kMaxOutputBytes; ++i) read_output();
    const int signal = WIFSIGNALED(*status) ? WTERMSIG(*status) : 0;
    finish(judge_exec(check_, WEXITSTATUS(*status), signal, text_));
  }

  /// Ends what is left of its process group.
  void forget_command() {
    ::kill(-pid_, SIGKILL);
    if (!commands()[pid_]) ::waitpid(pid_, nullptr, 0);
    commands().erase(pid_);
    pid_ = 0;
  }

  void clean_up() {
    loop_.cancel(soon_);
    loop_.cancel(timeout_);
    if (output_) loop_.unwatch(output_.get());
    if (pidfd_) loop_.unwatch(pidfd_.get());
    output_.reset();
    pidfd_.reset();
    if (pid_ > 0) forget_command();
  }

  void finish(const std::string& problem) {
    clean_up();
    const AttemptDone done = std::exchange(done_, nullptr);
    if (done) done(problem);
  }

  EventLoop& loop_;
  const Check& check_;
  AttemptDone done_;
  EventLoop::Timer soon_, timeout_;
  UniqueFd output_, pidfd_;
  pid_t pid_ = 0;
  std::string text_;
};

}  // namespace

std::unique_ptr<Attempt> start_exec_attempt(EventLoop& loop, const Check& check, AttemptDone done) {
  return std::make_unique<ExecAttempt>(loop, check, std::move(done));
}

}  // namespace atq::agent
