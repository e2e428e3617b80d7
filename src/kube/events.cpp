#include "src/kube/events.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "src/kube/resource.hpp"

namespace atq::kube {

namespace {

constexpr int kTries = 12;
constexpr Duration kRetryAfter = std::chrono::seconds{10};
constexpr Duration kLongestRetry = std::chrono::minutes{2};
constexpr Duration kSweepEvery = std::chrono::minutes{1};

bool is_passing(ErrorKind kind) {
  return kind == ErrorKind::Unavailable || kind == ErrorKind::Timeout ||
         kind == ErrorKind::Throttled;
}

Call call_of(const EventWrite& write) {
  return {.method = write.create ? "POST" : "PATCH",
          .target = path_of(kEvents, write.ns, write.create ? "" : write.name),
          .content_type = std::string(write.create ? kJson : kMergePatch),
          .body = write.body};
}

}  // namespace

struct EventRecorder::Impl {
  Impl(Client& the_client, EventReporter reporter, std::function<void(const std::string&)> the_note,
       uint64_t seed, std::shared_ptr<Timing> the_timing)
      : client(the_client),
        note(std::move(the_note)),
        random(seed),
        timing(std::move(the_timing)),
        alarm(timing->make_alarm()),
        series(std::move(reporter)) {}

  Task<void> run();
  Task<void> write(EventWrite event);
  Duration wait_after(const Error& error);

  Client& client;
  std::function<void(const std::string&)> note;
  std::mt19937_64 random;
  std::shared_ptr<Timing> timing;
  std::unique_ptr<Timing::Alarm> alarm;
  EventSeries series;
  Counts counts;
  bool stopped = false;
  bool idle = false;
  bool overflowing = false;
};

Task<void> EventRecorder::Impl::run() {
  while (!stopped) {
    series.sweep(timing->now());
    while (auto event = series.next(timing->now())) {
      co_await write(std::move(*event));
      if (stopped) {
        co_return;
      }
    }
    overflowing = false;
    idle = true;
    co_await alarm->wait(kSweepEvery);
    idle = false;
  }
}

Task<void> EventRecorder::Impl::write(EventWrite event) {
  for (int attempt = 1; !stopped; ++attempt) {
    const auto answer = co_await client.call(call_of(event));
    const ErrorKind kind = answer ? ErrorKind::Internal : answer.error().kind;
    // A create whose answer was lost finds itself.
    if (answer || (event.create && kind == ErrorKind::Conflict)) {
      ++counts.written;
      co_return series.done(EventSeries::Outcome::Written);
    }
    if (!event.create && kind == ErrorKind::NotFound) {
      co_return series.done(EventSeries::Outcome::Missing);
    }
    if (!is_passing(kind) || attempt == kTries) {
      ++counts.dropped;
      note("an event of " + event.ns + " was dropped: " + answer.error().message);
      co_return series.done(EventSeries::Outcome::Failed);
    }
    if (!stopped) {
      co_await alarm->wait(wait_after(answer.error()));
    }
  }
}

/// 10 s, a quarter more or less, so that directors do not come back together.
Duration EventRecorder::Impl::wait_after(const Error& error) {
  const double spread = std::uniform_real_distribution<double>(0.75, 1.25)(random);
  const auto wait = Duration(static_cast<int64_t>(kRetryAfter.count() * spread));
  return std::min(std::max(wait, Duration(error.retry_after.value_or(Duration::zero()))),
                  kLongestRetry);
}

EventRecorder::EventRecorder(boost::asio::any_io_executor executor, Client& client,
                             EventReporter reporter, std::function<void(const std::string&)> note,
                             uint64_t seed, std::shared_ptr<Timing> timing)
    : impl_(std::make_unique<Impl>(
          client, std::move(reporter), std::move(note), seed,
          timing ? std::move(timing) : steady_timing(std::move(executor)))) {}

EventRecorder::~EventRecorder() = default;

void EventRecorder::record(EventNote note, TimePoint at) {
  const std::string reason = note.reason;
  if (!impl_->series.observe(std::move(note), at, impl_->timing->now())) {
    ++impl_->counts.dropped;
    if (!std::exchange(impl_->overflowing, true)) {
      impl_->note("events are dropped from " + reason + " on, as " +
                  std::to_string(impl_->series.queued()) + " wait to be written");
    }
  }
  if (impl_->idle) {
    impl_->alarm->cancel();
  }
}

Task<void> EventRecorder::run() { return impl_->run(); }

void EventRecorder::stop() {
  impl_->stopped = true;
  impl_->alarm->cancel();
}

EventRecorder::Counts EventRecorder::counts() const noexcept { return impl_->counts; }

}  // namespace atq::kube
