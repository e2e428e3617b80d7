#include "src/locks/kube_lease/lease_machine.hpp"

#include <algorithm>
#include <utility>

namespace atq::locks {

namespace {

/// A record may say anything; a year is for ever.
constexpr int64_t kLongestLease = 365 * 86'400;
constexpr int64_t kMostTransitions = INT32_MAX - 1;  // the field is an int32

Duration scaled(Duration duration, double by) {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::micro>(static_cast<double>(duration.count()) * by));
}

}  // namespace

std::string problem_of(const LeaseTimes& times) {
  if (times.renew >= times.lease) {
    return "found a renew deadline of " + to_human(times.renew) +
           ", expected less than the lease's " + to_human(times.lease);
  }
  if (times.retry <= Duration::zero() || scaled(times.retry, times.jitter) >= times.renew) {
    return "found a retry period of " + to_human(times.retry) +
           ", expected more than 0 and, times " + std::to_string(times.jitter) +
           ", less than the renew deadline of " + to_human(times.renew);
  }
  if (times.margin >= times.renew) {
    return "found a margin of " + to_human(times.margin) +
           ", expected less than the renew deadline";
  }
  return {};
}

LeaseMachine::LeaseMachine(std::string identity, const LeaseTimes& times)
    : identity_(std::move(identity)), times_(times) {}

// ---- a try -----------------------------------------------------------------------------------

LeaseMachine::Step LeaseMachine::begin(Duration now, TimePoint wall) const {
  if (held_ && !is_lost(now) && seen_) {
    return Write{wanted(wall), seen_->version};
  }
  return Read{};
}

LeaseMachine::Step LeaseMachine::read(const std::optional<SeenLease>& lease, Duration now,
                                      TimePoint wall) {
  if (!lease) {
    seen_.reset();
    return is_lost(now) ? Step(Wait{}) : Step(Write{wanted(wall), ""});
  }
  see(*lease, now);
  if (held_ && !lease->record.holder.empty() && lease->record.holder != identity_) {
    taken_ = true;
    return Wait{};
  }
  if (is_lost(now) || !is_free(now)) {
    return Wait{};
  }
  return Write{wanted(wall), lease->version};
}

void LeaseMachine::wrote(const SeenLease& lease, Duration sent, Duration now) {
  see(lease, now);
  if (lease.record.holder != identity_ || taken_) {
    return;
  }
  // An answer that comes too late to act on is no leadership; the next try renews it.
  if (held_ || now < sent + times_.renew - times_.margin) {
    held_ = true;
    sent_ = sent;
  }
}

LeaseMachine::Step LeaseMachine::conflicted() {
  const bool short_way = held_ && seen_.has_value();
  seen_.reset();
  return short_way ? Step(Read{}) : Step(Wait{});
}

// ---- what is known ---------------------------------------------------------------------------

bool LeaseMachine::may_write(Duration now) const {
  return held_ && !taken_ && now < sent_ + times_.renew - times_.margin;
}

bool LeaseMachine::is_lost(Duration now) const {
  return held_ && (taken_ || now >= sent_ + times_.renew);
}

Duration LeaseMachine::pause(Duration now, double random) const {
  if (held_) {
    return std::clamp(left(now), Duration::zero(), times_.retry);
  }
  const Duration usual = times_.retry + scaled(times_.retry, times_.jitter * random);
  if (!seen_ || seen_->record.holder.empty()) {
    return usual;
  }
  // Spread a little, as every contender sees the same end.
  const Duration end = std::max(expiry() - now, Duration::zero());
  return std::min(usual, end + scaled(times_.retry, random / 4));
}

std::optional<LeaseMachine::Write> LeaseMachine::release(TimePoint wall) {
  held_ = false;
  if (!seen_ || seen_->record.holder != identity_) {
    return std::nullopt;
  }
  LeaseRecord record = seen_->record;
  record.holder.clear();
  record.lease_seconds = 1;
  record.acquired = wall;
  record.renewed = wall;
  const std::string version = std::exchange(seen_, std::nullopt)->version;
  return Write{std::move(record), version};
}

const std::string& LeaseMachine::holder() const noexcept {
  static const std::string nobody;
  return seen_ ? seen_->record.holder : nobody;
}

bool LeaseMachine::is_free(Duration now) const {
  const std::string& holder = seen_->record.holder;
  return holder.empty() || holder == identity_ || now >= expiry();
}

Duration LeaseMachine::expiry() const {
  return changed_ +
         std::chrono::seconds(std::clamp<int64_t>(seen_->record.lease_seconds, 0, kLongestLease));
}

LeaseRecord LeaseMachine::wanted(TimePoint wall) const {
  LeaseRecord record{
      .holder = identity_,
      .lease_seconds = std::chrono::duration_cast<std::chrono::seconds>(times_.lease).count(),
      .acquired = wall,
      .renewed = wall,
      .transitions = 0};
  if (seen_) {
    const bool ours = seen_->record.holder == identity_;
    record.transitions =
        std::clamp<int64_t>(seen_->record.transitions, 0, kMostTransitions) + (ours ? 0 : 1);
    if (ours) {
      record.acquired = seen_->record.acquired;
    }
  }
  return record;
}

void LeaseMachine::see(const SeenLease& lease, Duration now) {
  if (!seen_ || seen_->record != lease.record || seen_->version != lease.version) {
    changed_ = now;
  }
  seen_ = lease;
}

}  // namespace atq::locks
