#include "controller/core/pass.hpp"

#include <algorithm>

#include "src/base/hash.hpp"
#include "src/base/text.hpp"

namespace atq::core {

Pass::Pass(const World& seen, TimePoint time, Plan& target)
    : world(seen),
      now(time),
      plan(target),
      test(*seen.test),
      stored(seen.test->status),
      status(target.status) {
  find_run();
}

void Pass::event(bool warning, std::string_view reason, std::string_view message) {
  plan.events.push_back(
      {.warning = warning, .reason = std::string(reason), .message = std::string(message)});
}

void Pass::wake_at(TimePoint at) {
  const Duration wait = at <= now ? Duration::zero() : at - now;
  if (!plan.requeue_after || wait < *plan.requeue_after) plan.requeue_after = wait;
}

void Pass::tell_problem() {
  if (run == nullptr || run->problem.empty()) return;
  const bool told = std::any_of(
      run->workers.begin(), run->workers.end(),
      [this](const Replica& worker) { return worker.not_ready_because == run->problem; });
  if (!told) blocked = run->problem + "; " + blocked;
}

void Pass::find_run() {
  run = nullptr;
  for (const ObservedRun& observed : world.observed) {
    if (observed.number == status.run.number) run = &observed;
  }
  frozen = world.run.get();
}

TimePoint after(TimePoint from, int64_t seconds) noexcept {
  if (from.time_since_epoch().count() > 0) {
    const int64_t room = (TimePoint::max() - from).count() / 1'000'000;
    if (seconds > room) return TimePoint::max();
  }
  return from + std::chrono::seconds{seconds};
}

std::string mark_of(std::string_view value) {
  constexpr size_t kLongest = 128;
  const auto is_plain = [](char sign) { return static_cast<unsigned char>(sign) >= 0x20; };
  // What the codec would lengthen or replace would come back another, and ask for one more run.
  const bool plain = std::ranges::all_of(value, is_plain) && is_clean_utf8(value);
  if (plain && value.size() <= kLongest) return std::string(value);
  return "#" + to_hex(fnv1a(value));
}

std::string tidy(std::string text, size_t limit) {
  if (!is_clean_utf8(text)) text = to_printable(text);
  if (text.size() > limit) text = truncate(text, limit);
  return text;
}

bool is_alive(const Replica& replica) noexcept {
  return replica.state == ReplicaState::Inert || replica.state == ReplicaState::Starting ||
         replica.state == ReplicaState::Running;
}

void latch(Pass& pass, api::Verdict verdict, std::string_view reason, std::string message) {
  if (pass.status.run.collecting_at) return;
  pass.status.verdict = verdict;
  pass.status.reason = reason;
  pass.status.message = tidy(std::move(message), kMaxMessage);
  pass.status.run.collecting_at = pass.now;
}

}  // namespace atq::core
