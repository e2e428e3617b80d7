#include "src/agent/start_command.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <sys/resource.h>

#include "src/agent/signals.hpp"
#include "src/agent/start_request.hpp"
#include "src/base/time.hpp"

namespace atq::agent {
namespace {

constexpr size_t kMaxErrors = 20;

/// A descriptor for each worker.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// All requests of one start.
class Starter {
 public:
  Starter(EventLoop& loop, const StartOptions& options, std::function<void()> done)
      : options_(options), done_(std::move(done)) {
    for (const HostPort& target : options.targets) {
      requests_.push_back(std::make_unique<StartRequest>(loop, target, options.token,
                                                         [this] { requests_changed(); }));
    }
  }

  void begin() {
    for (const auto& request : requests_) request->connect();
  }

  StartReport report() const {
    StartReport report;
    int64_t first = 0, last = 0;
    for (const auto& request : requests_) {
      const int64_t at = request->started_at_us();
      if (at == 0) {
        add_error(report, *request);
        continue;
      }
      first = report.started == 0 ? at : std::min(first, at);
      last = std::max(last, at);
      ++report.started;
    }
    const auto passed = std::chrono::duration_cast<Duration>(last_answer_ - first_request_);
    report.skew_us = std::min(last - first, std::max<int64_t>(passed.count(), 0));
    return report;
  }

 private:
  void requests_changed() {
    const auto all = [this](bool (StartRequest::*holds)() const) {
      return std::ranges::all_of(requests_,
                                 [&](const auto& request) { return (*request.*holds)(); });
    };
    if (!released_ && all(&StartRequest::connected)) release();
    last_answer_ = Clock::now();
    if (all(&StartRequest::settled)) done_();
  }

  void release() {
    released_ = true;
    first_request_ = Clock::now();
    for (const auto& request : requests_) request->send();
  }

  void add_error(StartReport& report, const StartRequest& request) const {
    if (report.errors.size() == kMaxErrors) return;
    const std::chrono::milliseconds limit(options_.timeout_ms);
    const std::string& problem = request.problem();
    // One that could be reached was not asked, as another one could not.
    if (!released_ && problem.empty()) return;
    report.errors.push_back(problem.empty() ? "no answer within " + to_human(limit) : problem);
  }

  const StartOptions& options_;
  const std::function<void()> done_;
  std::vector<std::unique_ptr<StartRequest>> requests_;
  bool released_ = false;
  Clock::time_point first_request_, last_answer_;
};

}  // namespace

int run_start(const StartOptions& options) {
  Signals signals{SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGQUIT, SIGPIPE};
  raise_descriptor_limit();
  int told_to_end = 0;
  EventLoop loop;
  signals.watch(loop, [&](int number) {
    if (!is_stop_signal(number)) return;
    told_to_end = 128 + number;
    loop.stop();
  });
  Starter starter(loop, options, [&] { loop.stop(); });
  loop.after(std::chrono::milliseconds(options.timeout_ms), [&] { loop.stop(); });
  loop.after(std::chrono::milliseconds(0), [&] { starter.begin(); });
  loop.run();
  const StartReport report = starter.report();
  ::fprintf(stdout, "%s\n", encode(report).c_str());
  ::fflush(stdout);
  if (told_to_end != 0) return told_to_end;
  return static_cast<size_t>(report.started) == options.targets.size() ? 0 : 1;
}

}  // namespace atq::agent
