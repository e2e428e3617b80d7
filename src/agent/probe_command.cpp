#include "src/agent/probe_command.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/agent/files.hpp"
#include "src/agent/prober.hpp"
#include "src/agent/process_tree.hpp"
#include "src/agent/replica_folder.hpp"
#include "src/agent/resolver.hpp"
#include "src/agent/signals.hpp"
#include "src/agent/wall_clock.hpp"
#include "src/base/text.hpp"
#include "src/base/time.hpp"

namespace atq::agent {
namespace {

constexpr int kUnusable = 2;

int complain(const Error& error) {
  ::fprintf(stderr, "atq-agent: %s\n", error.message.c_str());
  return error.kind == ErrorKind::Conflict ? kAlreadyStarted : kUnusable;
}

Result<std::string> read_spec(const ProbeOptions& options) {
  if (options.spec_env.empty()) return read_whole(options.spec_file, kMaxFileBytes);
  const char* text = ::getenv(options.spec_env.c_str());
  if (text != nullptr) return text;
  return fail(ErrorKind::NotFound, "environment variable " + options.spec_env + " is not set");
}

Result<std::vector<Check>> read_checks(const ProbeOptions& options) {
  const auto text = read_spec(options);
  if (!text) return std::unexpected(text.error());
  const std::string& source = options.spec_env.empty() ? options.spec_file : options.spec_env;
  const auto targets = decode_probe_targets(*text);
  if (!targets) return fail_with(source, targets.error());
  std::vector<Check> checks;
  for (const ProbeTarget& target : *targets) {
    auto check = prepare_check(target);
    if (!check) return fail_with(source, check.error());
    checks.push_back(*std::move(check));
  }
  return checks;
}

/// Opens and locks the report, and ends a line which a killed prober left half-written. Stdout is
/// the prober's own, and is not locked.
Result<UniqueFd> open_report(const std::string& path) {
  if (path == "-") {
    UniqueFd fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!fd) return std::unexpected(from_errno(errno, "write to stdout"));
    return fd;
  }
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd) return std::unexpected(from_errno(errno, "open " + path));
  if (auto locked = lock_exclusive(fd.get(), path); !locked) return std::unexpected(locked.error());
  struct stat info{};
  char last = '\n';
  if (::fstat(fd.get(), &info) == 0 && info.st_size > 0) {
    (void)!::pread(fd.get(), &last, 1, info.st_size - 1);
  }
  if (last == '\n') return fd;
  if (auto ended = write_all(fd.get(), "\n", path); !ended) return std::unexpected(ended.error());
  return fd;
}

/// Ends what the checks' commands have left behind, sessions of their own included.
void kill_leftovers() {
  constexpr int kRounds = 100;
  for (int i = 0; i < kRounds; ++i) {
    const size_t alive = signal_descendants(SIGKILL);
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    if (alive == 0 || (reaped < 0 && errno == ECHILD)) return;
    ::usleep(1000);
  }
}

}  // namespace

int run_probe(const ProbeOptions& options) {
  Signals signals{SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGQUIT, SIGPIPE};
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const auto report = open_report(options.report_file);
  if (!report) return complain(report.error());
  auto checks = read_checks(options);
  if (!checks) return complain(checks.error());
  int code = 0;
  {
    EventLoop loop;
    const auto end_with = [&](int value) {
      code = value;
      loop.stop();
    };
    signals.watch(loop, [&](int number) {
      if (is_stop_signal(number)) end_with(128 + number);
    });
    std::optional<ParentWatch> parent;
    if (options.parent != 0) parent.emplace(loop, options.parent, [&] { end_with(1); });
    const auto write_report = [&](CheckReport line) {
      line.at_us = wall_clock_us();
      const auto written = write_all(report->get(), encode(line) + "\n", options.report_file);
      // A full disk: the next change, or the next second, tries again.
      if (!written) complain(written.error());
    };
    Prober prober(loop, *std::move(checks), write_report, [&] { end_with(0); });
    loop.after(std::chrono::milliseconds(0), [&] { prober.start(); });
    loop.run();
  }
  kill_leftovers();
  return code;
}

int run_probe_once(const ProbeTarget& target) {
  const Check check{target, nullptr};
  EventLoop loop;
  std::string error, outcome = "passed";
  std::unique_ptr<Attempt> attempt;
  std::unique_ptr<Resolution> resolution;
  const auto began = Clock::now();
  if (target.kind == "dns") {
    loop.after(std::chrono::milliseconds(target.timeout_ms), [&] {
      error = "dns " + target.host + " timed out after " +
              to_human(std::chrono::milliseconds(target.timeout_ms));
      loop.stop();
    });
    resolution = resolve_name(loop, target.host, [&](Result<std::vector<std::string>> found) {
      if (found) outcome = join(*found, " ");
      if (!found) error = "dns " + target.host + " " + found.error().message;
      loop.stop();
    });
  } else {
    attempt = start_attempt(loop, check, [&](const std::string& problem) {
      error = problem;
      loop.stop();
    });
  }
  loop.run();
  if (!error.empty()) {
    ::fprintf(stdout, "%s\n", error.c_str());
    return 1;
  }
  const auto took = std::chrono::duration_cast<Duration>(Clock::now() - began);
  ::fprintf(stdout, "%s %s (%s)\n", describe(target).c_str(), outcome.c_str(),
            to_human(took).c_str());
  return 0;
}

}  // namespace atq::agent
