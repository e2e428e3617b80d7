#pragma once
// A whole engine over fakes on virtual time: what the tests of runs share.

#include <memory>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "controller/engine/log.hpp"
#include "controller/engine/manager.hpp"
#include "tests/fakes/fake_lock.hpp"
#include "tests/fakes/fake_runtime.hpp"
#include "tests/fakes/fake_store.hpp"
#include "tests/fakes/virtual_clock.hpp"

namespace atq::engine {

struct RigOptions {
  fakes::FakeStoreOptions store;
  fakes::FakeRuntimeOptions runtime;
  int limit = 4;
  int reconciles = 1;
};

class Rig {
 public:
  explicit Rig(RigOptions options = {})
      : options_(options), store(io, clock, options.store), runtime(io, clock, options.runtime) {
    setup_log(LogFormat::Text, LogLevel::Off);
    start();
  }
  ~Rig() { stop(); }

  /// A director begins on the world as it is.
  void start() {
    lock = std::make_unique<fakes::FakeLock>(io);
    metrics = std::make_unique<Metrics>();
    ManagerOptions options;
    options.controller.max_concurrent_reconciles = options_.reconciles;
    options.controller.other_limit = options_.limit;
    manager = std::make_unique<Manager>(
        Manager::Parts{io, clock, store, {&runtime}, *lock, *metrics}, options);
    ended.reset();
    boost::asio::co_spawn(io, manager->run(), [this](std::exception_ptr thrown, Result<void> r) {
      ended = thrown ? fail(ErrorKind::Internal, "run() threw") : std::move(r);
    });
    clock.settle();
  }
  /// In order.
  void stop() {
    if (!manager) {
      return;
    }
    manager->stop();
    clock.advance(std::chrono::minutes(2));
    manager.reset();
  }
  /// As a crash between two calls of a port: nothing more is done, nothing is written.
  void crash() {
    lock->lose();
    clock.settle();
    manager.reset();
  }
  void restart() {
    crash();
    start();
  }

  static api::LoadTest make_test(const std::string& name, int workers = 2, bool master = true) {
    api::LoadTest test;
    test.metadata.name = name;
    test.spec.worker.role.command = {"worker"};
    test.spec.worker.replicas = workers;
    if (master) {
      test.spec.master.emplace().command = {"master"};
    }
    return test;
  }
  std::string put(const api::LoadTest& test) {
    std::string uid = store.put(test);
    clock.settle();
    return uid;
  }
  static api::Key key(const std::string& name) { return {"default", name}; }
  const api::LoadTestStatus& status(const std::string& name) const {
    return store.find(key(name))->test.status;
  }
  api::Phase phase(const std::string& name) const { return status(name).phase; }

  /// Awaits a task on the engine's thread.
  template <class T>
  T call(Task<T> task) {
    std::optional<T> result;
    boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr thrown, T value) {
      if (!thrown) {
        result.emplace(std::move(value));
      }
    });
    clock.settle();
    return result.value();
  }

  RigOptions options_;
  boost::asio::io_context io;
  fakes::VirtualClock clock{io};
  fakes::FakeStore store;
  fakes::FakeRuntime runtime;
  std::unique_ptr<fakes::FakeLock> lock;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<Manager> manager;
  std::optional<Result<void>> ended;
};

}  // namespace atq::engine
