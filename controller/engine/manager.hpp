#pragma once
// The director as a whole: start and stop order, leadership, readiness.
//   start: leader lock -> runtimes -> store's watch -> synced -> workers
//   stop:  workers drain -> store -> runtimes -> calls under way -> leader lock, within 30 s
// When leadership is lost nothing is drained: run() ends with an error and the process must exit.

#include <memory>

#include "controller/engine/controller.hpp"
#include "controller/engine/director_operations.hpp"
#include "controller/engine/event_log.hpp"
#include "controller/engine/event_tee.hpp"
#include "controller/ports/leader_lock.hpp"

namespace atq::engine {

struct ManagerOptions {
  ControllerOptions controller;
  Duration sync_limit = std::chrono::minutes(2);
  Duration start_limit = std::chrono::minutes(1);  ///< of each runtime's start()
  Duration stop_budget = std::chrono::seconds(30);
};

class Manager {
 public:
  /// References must outlive the manager. `runtimes`: the first is the store's own.
  struct Parts {
    boost::asio::io_context& io;
    ports::Clock& clock;
    ports::Store& store;
    std::vector<ports::Runtime*> runtimes;
    ports::LeaderLock& lock;
    Metrics& metrics;
    ports::EventSink* events = nullptr;  ///< the store's own, beside the log of this process
  };
  Manager(const Parts& parts, const ManagerOptions& options);
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// Runs until stop() (success) or until going on is pointless: leadership lost (Canceled), the
  /// store or a runtime cannot work, no sync in time. Once. All but after lost leadership or a
  /// spent stop budget, nothing of it is left running on return.
  AsyncResult<void> run();
  /// Makes run() stop in order. Any time, on the engine's thread, more than once.
  void stop();

  /// From construction on; before the sync it has nothing to show.
  Operations& operations() noexcept { return operations_; }
  Controller& controller() noexcept { return controller_; }

 private:
  AsyncResult<void> start();
  Task<void> shut_down();
  Task<void> watch_store();
  Task<void> store_ended();
  Task<void> give_up_lock();
  Task<void> watch_lock();
  AsyncResult<void> within(Duration limit, std::string what, std::function<Task<void>()> call);
  Health health() const;
  bool ending() const noexcept { return stop_requested_ || lost_ || fatal_.has_value(); }

  Parts parts_;
  ManagerOptions options_;
  EventLog events_;
  EventTee tee_;
  Controller controller_;
  DirectorOperations operations_;
  TaskGroup tasks_;
  TaskGroup closing_;  ///< what stopping waits for, each with its deadline
  AsyncEvent ended_;
  std::optional<Error> fatal_;
  TimePoint stop_deadline_{};
  bool leading_ = false;
  bool lost_ = false;
  bool watching_ = false;
  bool stop_requested_ = false;
  bool stopping_ = false;
  size_t runtimes_started_ = 0;
};

}  // namespace atq::engine
