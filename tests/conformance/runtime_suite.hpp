#pragma once
// What holds for every ports::Runtime. A runtime's test gives a driver and instantiates the suite:
//
//   struct MyDriver {
//     MyDriver();                                // a runtime that has been start()ed on nothing
//     boost::asio::io_context& loop();
//     ports::Runtime& runtime();
//     void restart();                            // the director dies; a new one start()s
//     api::FrozenSpec spec(const Wanted&);       // a run whose tools behave as wanted
//     void tick(const core::RunId&, const Wanted&);   // called while waiting: a simulated world
//                                                     // moves on here, a real one does so itself
//     static constexpr bool kLogs, kStatements;  // whether the tools really write
//     std::string ns();                          // where the LoadTest is; without it "default"
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Mine, RuntimeSuite, MyDriver);

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include "controller/ports/runtime.hpp"

namespace atq::conformance {

/// What a simulated tool does once it runs.
enum class Tool { Forever, ExitZero, ExitThree };

struct Wanted {
  int workers = 2;
  bool master = true;
  Tool worker_tool = Tool::Forever;
  Tool master_tool = Tool::Forever;  ///< prints the statement "requests=120 failures=3 rps=40.5"
  bool check = false;                ///< one check that passes, named "alive"
};

inline constexpr char kStatementPattern[] =
    R"(requests=(?P<requests>\d+) failures=(?P<failures>\d+) rps=(?P<rps>[\d.]+))";

/// Runs a task to its end on the loop.
template <class T>
T run(boost::asio::io_context& loop, Task<T> task) {
  std::optional<T> result;
  boost::asio::co_spawn(loop, std::move(task), [&result](std::exception_ptr error, T value) {
    if (error) std::rethrow_exception(error);
    result = std::move(value);
  });
  loop.restart();
  while (!result) loop.run_one();
  return std::move(*result);
}
inline void run(boost::asio::io_context& loop, Task<void> task) {
  bool done = false;
  boost::asio::co_spawn(loop, std::move(task), [&done](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
    done = true;
  });
  loop.restart();
  while (!done) loop.run_one();
}

template <class Driver>
class RuntimeSuite : public ::testing::Test {
 protected:
  using State = core::ReplicaState;
  using Predicate = std::function<bool(const core::ObservedRun&)>;

  RuntimeSuite() { listen(); }

  void listen() {
    driver_.runtime().on_change([this](const std::string&) { hinted_ = true; });
  }
  void restart() {
    driver_.restart();
    listen();
  }

  ports::Runtime& runtime() { return driver_.runtime(); }
  template <class T>
  T call(Task<T> task) {
    return run(driver_.loop(), std::move(task));
  }

  void begin(const Wanted& wanted) {
    wanted_ = wanted;
    frozen_ = std::make_shared<const api::FrozenSpec>(driver_.spec(wanted));
    ports::RunStart start{.id = id_, .key = key_, .frozen = frozen_};
    const auto begun = call(runtime().begin(start));
    ASSERT_TRUE(begun) << begun.error().message;
  }

  std::optional<core::ObservedRun> observe() {
    const auto runs = call(runtime().observe(id_.uid));
    if (!runs) return std::nullopt;
    for (const auto& found : *runs) {
      if (found.number == id_.number) return found;
    }
    return std::nullopt;
  }

  /// Waits for the runtime's hints until `holds`; the last observation either way.
  core::ObservedRun wait_until(const Predicate& holds) {
    // Shared: a cancelled timer's handler runs after this function has returned.
    const auto late = std::make_shared<bool>(false);
    boost::asio::steady_timer deadline(driver_.loop(), std::chrono::seconds(20));
    deadline.async_wait([late](boost::system::error_code error) { *late = !error; });
    for (;;) {
      hinted_ = false;
      driver_.tick(id_, wanted_);
      const auto seen = observe();
      if ((seen && holds(*seen)) || *late) {
        EXPECT_FALSE(*late) << "waited in vain";
        return seen.value_or(core::ObservedRun{});
      }
      driver_.loop().restart();
      while (!hinted_ && !*late) driver_.loop().run_one();
    }
  }

  static Predicate workers_are(State state) {
    return [state](const core::ObservedRun& seen) {
      for (const auto& worker : seen.workers) {
        if (worker.state != state) return false;
      }
      return !seen.workers.empty();
    };
  }
  static Predicate workers_ready() {
    return [](const core::ObservedRun& seen) {
      for (const auto& worker : seen.workers) {
        if (!worker.ready) return false;
      }
      return !seen.workers.empty();
    };
  }
  static Predicate master_is(State state) {
    return [state](const core::ObservedRun& seen) {
      return seen.master && seen.master->state == state;
    };
  }

  void start_workers() {
    const auto ensured = call(runtime().ensure_workers(id_));
    ASSERT_TRUE(ensured) << ensured.error().message;
    wait_until(workers_are(wanted_.master ? State::Running : State::Inert));
  }
  void release(core::Role role) {
    const auto seen = observe();
    ASSERT_TRUE(seen);
    const auto released = call(runtime().release(id_, role, seen->version));
    ASSERT_TRUE(released) << released.error().message;
  }
  void start_master() {
    ASSERT_TRUE(call(runtime().ensure_master(id_)));
    release(core::Role::Master);
  }

  static std::string ns_of(Driver& driver) {
    if constexpr (requires { driver.ns(); }) {
      return driver.ns();
    } else {
      return "default";
    }
  }

  Driver driver_;
  bool hinted_ = false;
  core::RunId id_{"7b0e6f7a-conformance", 1};
  api::Key key_{ns_of(driver_), "conformance"};
  Wanted wanted_;
  std::shared_ptr<const api::FrozenSpec> frozen_;
};

TYPED_TEST_SUITE_P(RuntimeSuite);

TYPED_TEST_P(RuntimeSuite, NothingIsKnownBeforeABegin) {
  EXPECT_FALSE(this->observe());
  EXPECT_TRUE(this->runtime().known_runs().empty());
  EXPECT_EQ(this->call(this->runtime().ensure_workers(this->id_)).error().kind,
            ErrorKind::NotFound);
}

TYPED_TEST_P(RuntimeSuite, ASecondBeginKeepsTheFirstSpec) {
  this->begin({.workers = 2});
  const auto first = this->frozen_;
  this->begin({.workers = 3});
  const auto known = this->runtime().known_runs();
  ASSERT_EQ(known.size(), 1U);
  EXPECT_EQ(*known[0].frozen, *first);
  EXPECT_EQ(known[0].key, this->key_);
  EXPECT_EQ(known[0].id, this->id_);
}

TYPED_TEST_P(RuntimeSuite, WorkersRunWithAddressesOfTheirOwn) {
  this->begin({.workers = 3});
  EXPECT_TRUE(this->observe()->workers.empty());
  this->start_workers();
  const auto seen = this->wait_until(this->workers_ready());
  std::set<std::string> addresses;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(seen.workers[static_cast<size_t>(i)].index, i);
    addresses.insert(seen.workers[static_cast<size_t>(i)].address);
  }
  EXPECT_EQ(addresses.size(), 3U);
  EXPECT_FALSE(addresses.contains(""));
  EXPECT_FALSE(seen.master);
}

TYPED_TEST_P(RuntimeSuite, AnEndedWorkerStaysEnded) {
  this->begin({.workers = 2, .worker_tool = Tool::ExitThree});
  ASSERT_TRUE(this->call(this->runtime().ensure_workers(this->id_)));
  const auto ended = this->wait_until(this->workers_are(core::ReplicaState::Exited));
  ASSERT_TRUE(ended.workers[0].exit);
  EXPECT_EQ(ended.workers[0].exit->code, 3);
  ASSERT_TRUE(this->call(this->runtime().ensure_workers(this->id_)));
  EXPECT_EQ(this->observe()->workers, ended.workers);
}

TYPED_TEST_P(RuntimeSuite, AMasterIsInertUntilItIsReleasedOnce) {
  this->begin({});
  this->start_workers();
  ASSERT_TRUE(this->call(this->runtime().ensure_master(this->id_)));
  ASSERT_TRUE(this->call(this->runtime().ensure_master(this->id_)));
  const auto seen = this->wait_until(this->master_is(core::ReplicaState::Inert));
  const auto wrong =
      this->call(this->runtime().release(this->id_, core::Role::Master, seen.version + "0"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::Conflict);
  EXPECT_EQ(this->observe()->master->state, core::ReplicaState::Inert);
  this->release(core::Role::Master);
  this->wait_until(this->master_is(core::ReplicaState::Running));
  EXPECT_TRUE(this->call(this->runtime().release(this->id_, core::Role::Master, seen.version)));
}

TYPED_TEST_P(RuntimeSuite, AnInertMasterThatIsStoppedIsNeverReleased) {
  for (const auto mode : {core::StopMode::Graceful, core::StopMode::Now}) {
    this->begin({});
    this->start_workers();
    ASSERT_TRUE(this->call(this->runtime().ensure_master(this->id_)));
    const auto before = this->wait_until(this->master_is(core::ReplicaState::Inert));
    for (int twice = 0; twice < 2; ++twice) {
      ASSERT_TRUE(this->call(
          this->runtime().stop_role(this->id_, core::Role::Master, mode, std::chrono::seconds(5))));
    }
    const auto ended = [](const core::ObservedRun& seen) {
      return !seen.master || seen.master->state == core::ReplicaState::Absent ||
             seen.master->state == core::ReplicaState::Exited;
    };
    const auto seen = this->wait_until(ended);
    for (const auto& version : {before.version, seen.version}) {
      EXPECT_FALSE(this->call(this->runtime().release(this->id_, core::Role::Master, version)));
    }
    EXPECT_TRUE(ended(*this->observe()));
    ++this->id_.number;
  }
}

TYPED_TEST_P(RuntimeSuite, MasterlessWorkersStartTogether) {
  this->begin({.workers = 3, .master = false});
  this->start_workers();
  this->release(core::Role::Worker);
  const auto seen = this->wait_until(this->workers_are(core::ReplicaState::Running));
  ASSERT_TRUE(seen.start_skew_microseconds);
  EXPECT_GE(*seen.start_skew_microseconds, 0);
}

TYPED_TEST_P(RuntimeSuite, AStopEndsARole) {
  for (const auto mode : {core::StopMode::Graceful, core::StopMode::Now}) {
    this->begin({});
    this->start_workers();
    for (int twice = 0; twice < 2; ++twice) {
      ASSERT_TRUE(this->call(
          this->runtime().stop_role(this->id_, core::Role::Worker, mode, std::chrono::seconds(5))));
    }
    const auto ended = this->wait_until(this->workers_are(core::ReplicaState::Exited));
    EXPECT_GT(ended.workers[0].exit->code, 128);
    ++this->id_.number;
  }
}

TYPED_TEST_P(RuntimeSuite, ANewDirectorGoesOnWithTheRun) {
  this->begin({.workers = 2, .check = true});
  this->restart();
  this->start_workers();
  this->restart();
  const auto before = this->wait_until(this->workers_ready());
  ASSERT_TRUE(this->call(this->runtime().ensure_workers(this->id_)));
  ASSERT_TRUE(this->call(this->runtime().ensure_checks(this->id_)));
  this->restart();
  this->wait_until([](const core::ObservedRun& seen) {
    return seen.checks.size() == 2 && seen.checks[0].passed && seen.checks[1].passed;
  });
  EXPECT_EQ(this->observe()->workers, before.workers);
  ASSERT_TRUE(this->call(this->runtime().stop_checks(this->id_)));
  this->start_master();
  this->restart();
  this->wait_until(this->master_is(core::ReplicaState::Running));
  EXPECT_EQ(*this->runtime().known_runs().at(0).frozen, *this->frozen_);
}

TYPED_TEST_P(RuntimeSuite, AnOldDirectorsReleaseFails) {
  this->begin({});
  this->start_workers();
  ASSERT_TRUE(this->call(this->runtime().ensure_master(this->id_)));
  const auto old = this->wait_until(this->master_is(core::ReplicaState::Inert));
  this->restart();
  const auto stale =
      this->call(this->runtime().release(this->id_, core::Role::Master, old.version));
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().kind, ErrorKind::Conflict);
  this->release(core::Role::Master);
  this->wait_until(this->master_is(core::ReplicaState::Running));
}

TYPED_TEST_P(RuntimeSuite, ChecksPassAndEnd) {
  this->begin({.workers = 2, .check = true});
  this->start_workers();
  EXPECT_FALSE(this->observe()->checks_exist);
  ASSERT_TRUE(this->call(this->runtime().ensure_checks(this->id_)));
  ASSERT_TRUE(this->call(this->runtime().ensure_checks(this->id_)));
  const auto seen = this->wait_until([](const core::ObservedRun& run) {
    return run.checks.size() == 2 && run.checks[0].passed && run.checks[1].passed;
  });
  EXPECT_TRUE(seen.checks_exist);
  EXPECT_EQ(seen.checks[0].name, "alive");
  EXPECT_EQ(seen.checks[1].worker, 1);
  EXPECT_TRUE(this->call(this->runtime().stop_checks(this->id_)));
  EXPECT_TRUE(this->call(this->runtime().stop_checks(this->id_)));
}

TYPED_TEST_P(RuntimeSuite, CollectKeepsTheStatement) {
  this->begin({.master_tool = Tool::ExitZero});
  this->start_workers();
  this->start_master();
  this->wait_until(this->master_is(core::ReplicaState::Exited));
  EXPECT_FALSE(this->observe()->results_collected);
  ASSERT_TRUE(this->call(this->runtime().collect(this->id_)));
  this->restart();
  const auto seen = this->observe();
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->results_collected);
  if (!TypeParam::kStatements) return;
  ASSERT_TRUE(seen->statement);
  EXPECT_EQ(*seen->statement, (core::Statement{120, 3, "40.5"}));
}

TYPED_TEST_P(RuntimeSuite, RemoveLeavesNothing) {
  this->begin({});
  this->start_workers();
  this->start_master();
  EXPECT_TRUE(this->call(this->runtime().remove(this->id_)));
  EXPECT_FALSE(this->observe());
  EXPECT_TRUE(this->runtime().known_runs().empty());
  EXPECT_TRUE(this->call(this->runtime().remove(this->id_)));
  this->restart();
  EXPECT_TRUE(this->runtime().known_runs().empty());
}

TYPED_TEST_P(RuntimeSuite, LogsAreStreamed) {
  if (!TypeParam::kLogs) GTEST_SKIP() << "its tools write nothing";
  this->begin({.master_tool = Tool::ExitZero});
  this->start_workers();
  ASSERT_TRUE(this->call(this->runtime().ensure_master(this->id_)));
  this->release(core::Role::Master);
  std::string text;
  const auto write = [&text](std::string_view piece) -> Task<bool> {
    text += piece;
    co_return true;
  };
  const auto streamed = this->call(
      this->runtime().logs(this->id_, {.role = core::Role::Master, .follow = true}, write));
  ASSERT_TRUE(streamed) << streamed.error().message;
  EXPECT_NE(text.find("requests=120"), std::string::npos) << text;
  const auto none =
      this->call(this->runtime().logs(this->id_, {.role = core::Role::Worker, .index = 99}, write));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::NotFound);
}

REGISTER_TYPED_TEST_SUITE_P(RuntimeSuite, NothingIsKnownBeforeABegin, ASecondBeginKeepsTheFirstSpec,
                            WorkersRunWithAddressesOfTheirOwn, AnEndedWorkerStaysEnded,
                            AMasterIsInertUntilItIsReleasedOnce,
                            AnInertMasterThatIsStoppedIsNeverReleased,
                            MasterlessWorkersStartTogether, AStopEndsARole,
                            ANewDirectorGoesOnWithTheRun, AnOldDirectorsReleaseFails,
                            ChecksPassAndEnd, CollectKeepsTheStatement, RemoveLeavesNothing,
                            LogsAreStreamed);

}  // namespace atq::conformance
