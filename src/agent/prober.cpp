#include "src/agent/prober.hpp"

#include <algorithm>

namespace atq::agent {
namespace {

/// Commands cost processes: no more than these at a time, the rest wait for a place.
constexpr size_t kMaxCommands = 32;
constexpr std::chrono::seconds kRepeatAfter(1);
/// An error text that changes with every try shall not fill the disk.
constexpr std::chrono::milliseconds kChangeAfter(100);

}  // namespace

std::chrono::milliseconds retry_delay(const ProbeTarget& target, int failures) {
  int64_t delay = target.kind == "exec" ? 100 : 20;
  for (int i = 1; i < failures && delay < target.period_ms; ++i) delay *= 2;
  return std::chrono::milliseconds(std::min(delay, target.period_ms));
}

Prober::Prober(EventLoop& loop, std::vector<Check> checks, OnReport on_report,
               std::function<void()> all_passed)
    : loop_(loop), on_report_(std::move(on_report)), all_passed_(std::move(all_passed)) {
  for (Check& check : checks) {
    entries_.push_back(std::make_unique<Entry>());
    entries_.back()->check = std::move(check);
  }
  open_ = entries_.size();
}

Prober::~Prober() {
  for (const auto& entry : entries_) loop_.cancel(entry->retry);
}

void Prober::start() {
  if (open_ == 0) all_passed_();
  for (const auto& entry : entries_) start_try(*entry);
}

void Prober::start_try(Entry& entry) {
  if (entry.check.target.kind == "exec") {
    if (commands_ == kMaxCommands) return waiting_commands_.push_back(&entry);
    ++commands_;
  }
  entry.attempt = start_attempt(loop_, entry.check,
                                [this, &entry](const std::string& error) { ended(entry, error); });
}

void Prober::begin_waiting_commands() {
  --commands_;
  if (waiting_commands_.empty()) return;
  Entry* next = waiting_commands_.front();
  waiting_commands_.erase(waiting_commands_.begin());
  start_try(*next);
}

void Prober::ended(Entry& entry, const std::string& error) {
  entry.attempt.reset();
  ++entry.tries;
  entry.successes = error.empty() ? entry.successes + 1 : 0;
  entry.failures = error.empty() ? 0 : entry.failures + 1;
  entry.passed = entry.successes >= entry.check.target.success_threshold;
  report(entry, error);
  if (entry.check.target.kind == "exec") begin_waiting_commands();
  if (entry.passed) {
    if (--open_ == 0) all_passed_();
    return;
  }
  // The next of several wanted successes follows at once.
  if (error.empty()) return start_try(entry);
  entry.retry = loop_.after(retry_delay(entry.check.target, entry.failures),
                            [this, &entry] { start_try(entry); });
}

void Prober::report(Entry& entry, const std::string& error) {
  const auto now = Clock::now();
  if (entry.reported && !entry.passed) {
    const bool changed = error != entry.last_error;
    const auto silent = now - entry.reported_at;
    if (silent < (changed ? Clock::duration(kChangeAfter) : Clock::duration(kRepeatAfter))) return;
    if (!changed && error.empty()) return;
  }
  entry.reported = true;
  entry.last_error = error;
  entry.reported_at = now;
  on_report_({.name = entry.check.target.name,
              .worker = entry.check.target.worker,
              .passed = entry.passed,
              .tries = entry.tries,
              .error = error});
}

}  // namespace atq::agent
