#include "src/kube/watch_machine.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/kube/resource_version.hpp"
#include "src/kube/status.hpp"

namespace atq::kube {

namespace {

using namespace std::chrono_literals;

constexpr Duration kFirstWait = 800ms, kLongestWait = 30s, kHealthyAfter = 2min;
constexpr Duration kLongestAskedWait = 5min;
constexpr Duration kVeryShort = 1s;
constexpr std::chrono::seconds kLongWatch{300}, kLongSpread{300};
constexpr std::chrono::seconds kBriskWatch{20}, kBriskSpread{10};
constexpr int kStreamTries = 3;  // of a streaming list, before pages are tried
constexpr int kWatchTries = 8;   // from one version: of a watch, then of a list no older than it

double unit(double random) { return std::isfinite(random) ? std::clamp(random, 0.0, 1.0) : 0.0; }

/// Says nothing of the watch itself: the way to the server is broken, or the server is busy.
bool is_passing(ErrorKind kind) {
  return kind == ErrorKind::Unavailable || kind == ErrorKind::Timeout ||
         kind == ErrorKind::Throttled || kind == ErrorKind::Canceled;
}

bool needs_newest(const Error& error) {
  return error.kind == ErrorKind::Gone || is_version_too_large(error);
}

bool is_refusal(ErrorKind kind) {
  return kind == ErrorKind::Forbidden || kind == ErrorKind::Unauthorized ||
         kind == ErrorKind::NotFound;
}

}  // namespace

Duration WatchBackoff::next(double random, Duration now) {
  if (!last_ || now - *last_ > kHealthyAfter) {
    base_ = kFirstWait;
  }
  const auto extra = static_cast<int64_t>(static_cast<double>(base_.count()) * unit(random));
  const Duration wait = base_ + Duration(extra);
  base_ = std::min(base_ * 2, kLongestWait);
  last_ = now;
  return wait;
}

WatchMachineStep WatchMachine::next(double random, Duration now, bool brisk) {
  if (fatal_) {
    return FailStep{*fatal_};
  }
  if (std::exchange(wait_, false)) {
    const auto asked = std::exchange(asked_wait_, std::nullopt).value_or(Duration::zero());
    return WaitStep{std::max(backoff_.next(random, now), std::min(asked, kLongestAskedWait))};
  }
  if (!decided_) {
    phase_ = streaming_ && !list_once_ ? Phase::Stream : Phase::List;
    decided_ = true;
  }
  if (phase_ == Phase::List) {
    return list_step();
  }
  const bool initial = phase_ == Phase::Stream;
  unordered_ = initial || version_.empty() || version_ == "0";
  stream_events_ = 0;
  event_error_.reset();
  const auto least = brisk ? kBriskWatch : kLongWatch;
  const auto spread = std::chrono::seconds(static_cast<int>(
      static_cast<double>((brisk ? kBriskSpread : kLongSpread).count()) * unit(random)));
  return WatchStep{.version = initial && newest_ ? "" : version_,
                   .initial_events = initial,
                   .timeout = least + spread,
                   .silence = std::min(least + spread + kIdleMargin, kLongestSilence)};
}

ListStep WatchMachine::list_step() const {
  if (!token_.empty()) {
    return {.version = "", .token = token_, .limit = kPage, .first = false};
  }
  ListStep step{.version = newest_ ? "" : version_.empty() ? "0" : version_};
  // A limit together with a version would go past the watch cache, to etcd.
  const bool pages = !whole_ && (step.version.empty() || step.version == "0");
  step.limit = pages ? kPage : 0;
  return step;
}

bool WatchMachine::on_page(std::string version, std::string token) {
  if (phase_ != Phase::List || !decided_ || fatal_) {
    return false;
  }
  if (token_.empty()) {
    list_version_ = std::move(version);  // that of the snapshot, the same on every page
  }
  token_ = std::move(token);
  if (!token_.empty()) {
    return false;
  }
  complete(std::move(list_version_));
  return true;
}

void WatchMachine::complete(std::string version) {
  version_ = std::move(version);
  synced_ = true;
  newest_ = whole_ = list_once_ = false;
  failures_ = 0;
  phase_ = Phase::Watch;
}

void WatchMachine::on_list_error(const Error& error) {
  if (phase_ != Phase::List || !decided_) {
    return;
  }
  const bool in_pages = !std::exchange(token_, {}).empty();
  if (in_pages && error.kind == ErrorKind::Gone) {
    whole_ = newest_ = true;
    return;  // at once: the server is well, we were slow
  }
  if (!synced_ && is_refusal(error.kind)) {
    fatal_ = error;
    return;
  }
  if (needs_newest(error)) {
    const bool again = std::exchange(newest_, true);
    if (!again) {
      return;
    }
  }
  // A server that was set back to an earlier state may never reach the version that was seen.
  newest_ = newest_ || ++failures_ >= kWatchTries;
  wait_for(error.retry_after);
}

EventEffect WatchMachine::on_event(const EventHead& head) {
  ++stream_events_;
  const bool initial = phase_ == Phase::Stream;
  if (phase_ == Phase::List || !decided_) {
    return EventEffect::Nothing;
  }
  if (head.type == "ERROR") {
    return EventEffect::EndStream;
  }
  const bool bookmark = head.type == "BOOKMARK";
  const bool removed = head.type == "DELETED";
  if (head.version.empty() ||
      (!bookmark && !removed && head.type != "ADDED" && head.type != "MODIFIED")) {
    ++skipped_;
    return EventEffect::Nothing;
  }
  if (initial) {
    if (bookmark && head.initial_events_end) {
      complete(std::string(head.version));
      unordered_ = false;
      return EventEffect::ReplaceEnd;
    }
    return bookmark  ? EventEffect::Nothing
           : removed ? EventEffect::Remove
                     : EventEffect::ReplaceAdd;
  }
  if (!unordered_ && is_stale(head.version)) {
    // The sink has this already, or something newer: to apply it would turn time back.
    skipped_ += bookmark ? 0 : 1;
    return EventEffect::Nothing;
  }
  failures_ = 0;
  unordered_ = unordered_ && head.type == "ADDED";
  if (!unordered_) {
    version_ = head.version;
  }
  return bookmark ? EventEffect::Nothing : removed ? EventEffect::Remove : EventEffect::Upsert;
}

bool WatchMachine::is_stale(std::string_view version) const {
  const auto order = compare_versions(version, version_);
  return order && *order <= 0;
}

void WatchMachine::on_stream_end(const Result<void>& end, Duration lasted) {
  if (phase_ == Phase::List || !decided_) {
    return;
  }
  Result<void> told = end;
  if (event_error_) {
    told = std::unexpected(*std::exchange(event_error_, std::nullopt));
  }
  if (phase_ == Phase::Stream) {
    on_initial_end(told);
  } else {
    on_watch_end(told, lasted);
  }
}

void WatchMachine::on_initial_end(const Result<void>& end) {
  decided_ = false;
  if (end || is_passing(end.error().kind)) {
    newest_ = newest_ || (!end && is_version_too_large(end.error()));
    list_once_ = ++failures_ >= kStreamTries;
    return wait_for(end ? std::nullopt : end.error().retry_after);
  }
  if (end.error().kind == ErrorKind::Gone) {
    const bool again = std::exchange(newest_, true);
    wait_ = again;
    return;
  }
  // Refused: by a server that cannot (for good), else let the list say what is wrong.
  streaming_ = streaming_ && end.error().kind != ErrorKind::Invalid;
  list_once_ = true;
}

void WatchMachine::on_watch_end(const Result<void>& end, Duration lasted) {
  if (end) {
    if (lasted < kVeryShort && stream_events_ == 0) {
      return relist(true);
    }
    ++restarts_;
    wait_ = lasted < kVeryShort;
    return;
  }
  const Error& error = end.error();
  if (needs_newest(error)) {
    newest_ = true;
    return relist(true);
  }
  // client-go takes a stream that broke for one that ended (watch/streamwatcher.go). One that has
  // worked needs no wait: whoever waits sees nothing meanwhile, and a dead server gives no events.
  if (error.kind == ErrorKind::Unavailable && !error.retry_after && lasted >= kVeryShort &&
      stream_events_ > 0) {
    ++restarts_;
    return;
  }
  // One that lived and went silent: who has waited that long for its next word waits no longer.
  if (error.kind == ErrorKind::Timeout && lasted >= kBriskWatch) {
    ++restarts_;
    return;
  }
  if (!is_passing(error.kind) || ++failures_ >= kWatchTries) {
    relist(false);
  } else {
    ++restarts_;
  }
  wait_for(error.retry_after);
}

void WatchMachine::relist(bool wait) {
  decided_ = false;
  failures_ = 0;
  wait_ = wait;
  ++relists_;
}

void WatchMachine::wait_for(const std::optional<Duration>& asked) {
  wait_ = true;
  asked_wait_ = asked;
}

}  // namespace atq::kube
