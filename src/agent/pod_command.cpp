#include "src/agent/pod_command.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <sys/prctl.h>
#include <unistd.h>

#include <climits>

#include "src/agent/files.hpp"
#include "src/agent/http_server.hpp"
#include "src/agent/pod_answer.hpp"
#include "src/agent/pod_home.hpp"
#include "src/agent/signals.hpp"
#include "src/agent/supervisor.hpp"
#include "src/agent/wall_clock.hpp"

namespace atq::agent {
namespace {

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

std::string own_folder() {
  char path[PATH_MAX];
  return ::getcwd(path, sizeof path) == nullptr ? "/" : path;
}

/// In place: the kubelet has mounted this very file, so that no other can take its name.
Result<void> write_termination_log(const std::string& path, const ExitRecord& record) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return std::unexpected(from_errno(errno, "open " + path));
  return write_all(fd.get(), encode_within(kMaxTerminationBytes, record), path);
}

/// Says what a newcomer looks for in the log, and leaves the record.
int conclude(const PodOptions& options, const ExitRecord& record) {
  if (!record.error.empty()) ::fprintf(stderr, "atq-agent: %s\n", record.error.c_str());
  if (!options.termination_log.empty()) {
    const auto written = write_termination_log(options.termination_log, record);
    if (!written) ::fprintf(stderr, "atq-agent: %s\n", written.error().message.c_str());
  }
  return record.code;
}

ReplicaSpec complete(const PodOptions& options) {
  ReplicaSpec spec = options.spec;
  spec.environment = own_environment();
  spec.working_dir = own_folder();
  spec.wait_for_release = !options.start_token.empty();
  // A container with a terminal wants one for its tool.
  spec.tty = ::isatty(STDOUT_FILENO) != 0;
  return spec;
}

Result<int64_t> start_now(PodHome& home, const Supervisor& supervisor) {
  home.release();
  if (supervisor.started_at_us() != 0) return supervisor.started_at_us();
  const std::string& error = supervisor.record().error;
  return fail(ErrorKind::Unavailable, error.empty() ? "the tool is not being started" : error);
}

}  // namespace

int run_pod(const PodOptions& options) {
  Signals signals{SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGQUIT, SIGCHLD, SIGPIPE};
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // where it is not the first process of its namespace
  ::setsid();
  EventLoop loop;
  PodHome home(loop);
  Supervisor supervisor(loop, home, complete(options));
  HttpServer server(loop, [&](const HttpRequest& request) {
    return answer_pod_request(request, {.start_token = options.start_token,
                                        .not_ready = supervisor.not_ready(),
                                        .start = [&] { return start_now(home, supervisor); }});
  });
  if (options.listen_port != 0) {
    if (const auto listening = server.listen(options.listen_port); !listening) {
      return conclude(
          options,
          {.code = kCannotStart, .error = listening.error().message, .at_us = wall_clock_us()});
    }
  }
  signals.watch(loop, [&](int number) {
    if (number == SIGCHLD) return supervisor.reap();
    if (is_now_signal(number)) return supervisor.stop_now();
    if (is_stop_signal(number)) return supervisor.stop_gracefully();
  });
  loop.after(std::chrono::milliseconds(0), [&] { supervisor.begin(); });
  loop.run();
  return conclude(options, supervisor.record());
}

}  // namespace atq::agent
