#include "controller/engine/manager.hpp"

#include <malloc.h>

#include "controller/engine/deadline.hpp"
#include "controller/engine/log.hpp"

namespace atq::engine {

Manager::Manager(const Parts& parts, const ManagerOptions& options)
    : parts_(parts),
      options_(options),
      tee_(events_, parts.events),
      controller_({.io = parts.io,
                   .clock = parts.clock,
                   .store = parts.store,
                   .runtimes = parts.runtimes,
                   .events = tee_,
                   .metrics = parts.metrics,
                   .may_write = [this] { return parts_.lock.still_held(); }},
                  options.controller),
      operations_(controller_, events_, [this] { return health(); }),
      tasks_(parts.io,
             [this](const std::exception_ptr&) {
               fatal_ = Error{ErrorKind::Internal, "a task of the manager threw", std::nullopt};
               ended_.notify_all();
             }),
      closing_(parts.io, [](const std::exception_ptr&) {}),
      ended_(parts.io) {}

Manager::~Manager() = default;

Health Manager::health() const {
  return {.leading = leading_,
          .synced = controller_.synced(),
          .running = controller_.working(),
          .overdue = leading_ && !parts_.lock.still_held(),
          .holder = parts_.lock.holder()};
}

// ---- run -------------------------------------------------------------------------------------

AsyncResult<void> Manager::run() {
  auto starting = start();
  auto started = co_await std::move(starting);
  while (started && !ending()) {
    co_await ended_.wait();
  }
  if (lost_ && !stop_requested_) {
    // Another leads by now: whatever is still done here would be done twice.
    parts_.metrics.set_leader(false);
    parts_.store.stop();
    co_return fail(ErrorKind::Canceled,
                   "leadership is lost; last seen with " + parts_.lock.holder());
  }
  auto stopping = shut_down();
  co_await std::move(stopping);
  if (!started) {
    co_return started;
  }
  if (fatal_) {
    co_return std::unexpected(*fatal_);
  }
  co_return Result<void>{};
}

void Manager::stop() {
  if (stop_requested_) {
    return;
  }
  stop_requested_ = true;
  if (!leading_) {
    parts_.lock.stop();  // ends the wait for leadership
  }
  if (!controller_.working()) {
    controller_.abandon_sync();
  }
  ended_.notify_all();
}

AsyncResult<void> Manager::start() {
  auto acquiring = parts_.lock.acquire();
  auto acquired = co_await std::move(acquiring);
  if (!acquired) {
    co_return fail_with("leader lock", acquired.error());
  }
  if (!*acquired || stop_requested_) {
    co_return Result<void>{};
  }
  leading_ = true;
  parts_.metrics.set_leader(true);
  log(LogLevel::Info, "leading", {{"holder", parts_.lock.holder()}});
  tasks_.spawn(watch_lock());
  if (parts_.events != nullptr) {
    tasks_.spawn(parts_.events->run());
  }
  for (ports::Runtime* runtime : parts_.runtimes) {
    runtime->on_change([this](const std::string& uid) { controller_.hint(uid); });
    auto task = with_deadline<void>(tasks_, parts_.clock, options_.start_limit,
                                    "start of runtime " + runtime->name(),
                                    [runtime] { return runtime->start(); });
    auto started = co_await std::move(task);
    if (!started) {
      co_return fail_with("runtime " + runtime->name(), started.error());
    }
    ++runtimes_started_;
    if (ending()) {
      co_return Result<void>{};
    }
  }
  controller_.adopt_runs();
  watching_ = true;
  tasks_.spawn(watch_store());
  auto syncing = within(options_.sync_limit, "reading the store " + parts_.store.name(),
                        [this] { return controller_.wait_synced(); });
  auto synced = co_await std::move(syncing);
  if (!synced || ending()) {
    co_return synced;
  }
  malloc_trim(0);  // reading ten thousand objects leaves holes that are never filled again
  controller_.start_workers();
  log(LogLevel::Info, "director is ready", {{"store", parts_.store.name()}});
  co_return Result<void>{};
}

Task<void> Manager::watch_store() {
  auto watching = parts_.store.watch(controller_);
  auto result = co_await std::move(watching);
  watching_ = false;
  controller_.abandon_sync();
  if (!stop_requested_ && !lost_ && !stopping_) {
    Error error{ErrorKind::Internal, "the store's watch ended", std::nullopt};
    if (!result) {
      error = fail_with("store " + parts_.store.name(), result.error()).error();
    }
    fatal_ = std::move(error);
  }
  ended_.notify_all();
}

Task<void> Manager::watch_lock() {
  auto losing = parts_.lock.lost();
  co_await std::move(losing);
  leading_ = false;
  if (!stopping_) {
    lost_ = true;
    controller_.halt();
    log(LogLevel::Error, "leadership is lost", {{"holder", parts_.lock.holder()}});
  }
  ended_.notify_all();
}

// ---- stop ------------------------------------------------------------------------------------

namespace {

/// What giving up the lock has even where the budget is spent.
constexpr Duration kLockLimit = std::chrono::seconds(2);

AsyncResult<void> as_result(std::function<Task<void>()> call) {
  auto task = call();
  co_await std::move(task);
  co_return Result<void>{};
}

}  // namespace

AsyncResult<void> Manager::within(Duration limit, std::string what,
                                  std::function<Task<void>()> call) {
  return with_deadline<void>(closing_, parts_.clock, limit, std::move(what),
                             [call = std::move(call)] { return as_result(call); });
}

Task<void> Manager::shut_down() {
  stopping_ = true;
  stop_deadline_ = parts_.clock.now() + options_.stop_budget;
  const auto left = [this] {
    return std::max(stop_deadline_ - parts_.clock.now(), Duration(std::chrono::milliseconds(1)));
  };
  auto draining = within(left(), "passes under way", [this] { return controller_.drain(); });
  auto drained = co_await std::move(draining);
  if (!drained) {
    log(LogLevel::Warn, "not drained in time: " + drained.error().message);
    controller_.halt();
  }
  parts_.store.stop();
  auto closing = within(left(), "the store's watch", [this] { return store_ended(); });
  auto closed = co_await std::move(closing);
  if (!closed) {
    log(LogLevel::Warn, "store not stopped in time: " + closed.error().message);
  }
  for (size_t i = 0; i < runtimes_started_; ++i) {
    ports::Runtime* runtime = parts_.runtimes[i];
    auto ending_runtime =
        within(left(), "runtime " + runtime->name(), [runtime] { return runtime->stop(); });
    auto ended = co_await std::move(ending_runtime);
    if (!ended) {
      log(LogLevel::Warn, "runtime not stopped in time: " + ended.error().message);
    }
  }
  if (parts_.events != nullptr) {
    parts_.events->stop();
  }
  // The lock goes last: who takes it over must meet no write of ours.
  auto joining =
      within(left(), "calls under way", [this] { return controller_.state().calls.join(); });
  auto joined = co_await std::move(joining);
  if (!joined) {
    log(LogLevel::Warn, joined.error().message);
  }
  parts_.metrics.set_leader(false);
  parts_.lock.stop();
  leading_ = false;
  auto giving_up =
      within(std::max(left(), kLockLimit), "giving up the lock", [this] { return give_up_lock(); });
  auto given_up = co_await std::move(giving_up);
  if (!given_up) {
    log(LogLevel::Warn, given_up.error().message);
  }
}

Task<void> Manager::give_up_lock() {
  auto ending_lock = parts_.lock.ended();
  co_await std::move(ending_lock);
  auto tasks = tasks_.join();
  co_await std::move(tasks);
}

Task<void> Manager::store_ended() {
  while (watching_) {
    co_await ended_.wait();
  }
}

}  // namespace atq::engine
