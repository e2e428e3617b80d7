// How a tool ends: asked, by itself, or killed; and what it leaves behind.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/wait.h>

#include "src/agent/process_tree.hpp"
#include "src/agent/stop_datagram.hpp"
#include "src/agent/supervisor.hpp"
#include "src/agent/wall_clock.hpp"

namespace atq::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSweepGrace(500);
constexpr milliseconds kNowGrace(1000);
constexpr milliseconds kKillAgain(20);
/// A process that cannot be killed for this long (in the kernel's hands) is left behind.
constexpr milliseconds kGiveUp(10'000);

int64_t to_us(const timeval& time) { return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec; }

}  // namespace

void Supervisor::stopped_early() {
  cannot_start(spec_.wait_for_release ? "stopped before it was released"
                                      : "stopped before the tool was started");
}

void Supervisor::stop_gracefully() {
  if (state_ == State::Waiting) return stopped_early();
  if (state_ == State::Stopping) return stop_now();
  if (state_ != State::Running) return;
  state_ = State::Stopping;
  const milliseconds grace(spec_.grace_ms);
  const auto ask_group = [this] { ::kill(-tool_, SIGTERM); };
  if (spec_.stop.udp_port != 0 && !spec_.stop.graceful.empty()) {
    send_stop_datagram(spec_, spec_.stop.graceful);
    term_timer_ = loop_.after(grace / 2, ask_group);
  } else {
    ask_group();
  }
  kill_timer_ = loop_.after(grace, [this] { kill_all(); });
}

void Supervisor::stop_now() {
  if (state_ == State::Waiting) return stopped_early();
  if (state_ == State::Done) return;
  const bool asked_before = std::exchange(now_, true);
  if (state_ == State::Running) state_ = State::Stopping;
  if (asked_before || state_ == State::Sweeping || spec_.stop.udp_port == 0 ||
      spec_.stop.now.empty()) {
    return kill_all();
  }
  send_stop_datagram(spec_, spec_.stop.now);
  loop_.cancel(term_timer_);
  loop_.cancel(kill_timer_);
  const milliseconds grace = std::min(kNowGrace, milliseconds(spec_.grace_ms));
  kill_timer_ = loop_.after(grace, [this] { kill_all(); });
}

void Supervisor::reap() {
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = ::wait4(-1, &status, WNOHANG, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0 && state_ == State::Sweeping) return finish();  // ECHILD: the tree is empty
    if (pid <= 0) return;
    if (pid == tool_) tool_ended(status, usage);
  }
}

void Supervisor::tool_ended(int status, const rusage& usage) {
  record_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  record_.code = record_.signal != 0 ? 128 + record_.signal : WEXITSTATUS(status);
  record_.at_us = wall_clock_us();
  record_.ran_for_us =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started_at_).count();
  record_.user_us = to_us(usage.ru_utime);
  record_.system_us = to_us(usage.ru_stime);
  record_.max_rss_kib = usage.ru_maxrss;
  state_ = State::Sweeping;
  loop_.cancel(term_timer_);
  loop_.cancel(kill_timer_);
  sweep();
}

void Supervisor::sweep() {
  if (killing_) return keep_killing();
  if (now_) return kill_all();
  // reap() goes on after this and finishes at once where there is nobody left.
  if (signal_descendants(SIGTERM) == 0) return;
  kill_timer_ = loop_.after(kSweepGrace, [this] { kill_all(); });
}

void Supervisor::kill_all() {
  if (killing_) return;
  killing_ = true;
  give_up_timer_ = loop_.after(kGiveUp, [this] { give_up(); });
  keep_killing();
}

void Supervisor::keep_killing() {
  if (state_ == State::Done) return;
  // The group first: it needs no /proc, and stops a tool that forks faster than we read.
  if (state_ == State::Stopping) ::kill(-tool_, SIGKILL);
  signal_descendants(SIGKILL);
  loop_.cancel(kill_timer_);
  kill_timer_ = loop_.after(kKillAgain, [this] { keep_killing(); });
}

void Supervisor::give_up() {
  if (state_ == State::Stopping) {
    record_.signal = SIGKILL;
    record_.code = 128 + SIGKILL;
    record_.at_us = wall_clock_us();
  }
  last_lines_.add("atq-agent: some processes could not be killed within 10s and are left behind");
  finish();
}

}  // namespace atq::agent
