#include "controller/app/director.hpp"

#include <filesystem>

#include "controller/app/registry.hpp"
#include "controller/engine/asio_clock.hpp"
#include "controller/engine/log.hpp"
#include "controller/engine/manager.hpp"
#include "controller/engine/metrics.hpp"
#include "src/locks/file/file_lock.hpp"

namespace atq::app {
namespace {

class RealDirector final : public Director {
 public:
  /// What the rest is made of; it must outlive it.
  struct Base {
    std::unique_ptr<engine::AsioClock> clock;
    std::unique_ptr<engine::Metrics> metrics;
    std::unique_ptr<KubeParts> kube;  // which counts its requests
  };
  struct Parts {
    std::unique_ptr<ports::Store> store;
    std::vector<std::unique_ptr<ports::Runtime>> runtimes;
    std::unique_ptr<ports::LeaderLock> lock;
    std::unique_ptr<ports::EventSink> events;  // may be null
  };
  RealDirector(boost::asio::io_context& loop, const Config& config, Base base, Parts made)
      : base_(std::move(base)), parts_(std::move(made)), manager_(parts(loop), options(config)) {}

  AsyncResult<void> run() override {
    auto running = manager_.run();
    auto result = co_await std::move(running);
    base_.kube->stop();
    co_return result;
  }
  void stop() override { manager_.stop(); }
  engine::Operations& operations() override { return manager_.operations(); }
  ports::Runtime& runtime() override { return *parts_.runtimes.front(); }

 private:
  engine::Manager::Parts parts(boost::asio::io_context& loop) {
    std::vector<ports::Runtime*> runtimes;
    runtimes.reserve(parts_.runtimes.size());
    for (const auto& runtime : parts_.runtimes) runtimes.push_back(runtime.get());
    return {loop,         *base_.clock,   *parts_.store,      std::move(runtimes),
            *parts_.lock, *base_.metrics, parts_.events.get()};
  }
  static engine::ManagerOptions options(const Config& config) {
    engine::ManagerOptions options;
    options.controller.max_concurrent_reconciles = config.max_concurrent_reconciles;
    for (const auto& runtime : config.runtimes) {
      options.controller.run_limits[runtime.name] = runtime.max_concurrent_runs;
    }
    return options;
  }

  Base base_;
  Parts parts_;
  engine::Manager manager_;
};

Result<void> make_data_folder(const std::string& path) {
  if (path.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error)
    return fail(ErrorKind::Forbidden,
                "cannot make the data folder " + path + ": " + error.message());
  return {};
}

Result<std::unique_ptr<ports::Store>> make_configured_store(const Wiring& wiring) {
  for (const auto& runtime : wiring.config.runtimes) {
    const auto fits = check_pair(wiring.config.store_type, runtime.type);
    if (!fits) return std::unexpected(fits.error());
  }
  const auto needed = needs_data(wiring.config.store_type);
  if (needed && *needed && wiring.config.data.empty()) {
    return fail(ErrorKind::Invalid, "no data folder: give --data or the key data");
  }
  return make_store(wiring);
}

Result<std::unique_ptr<ports::LeaderLock>> make_local_lock(const Wiring& wiring) {
  return std::make_unique<locks::FileLock>(wiring.loop, wiring.clock, wiring.config.data + "/lock");
}

}  // namespace

Result<std::unique_ptr<Director>> Director::make(boost::asio::io_context& loop,
                                                 const Config& config, Options options) {
  if (const auto made = make_data_folder(config.data); !made) return std::unexpected(made.error());
  RealDirector::Base base;
  base.clock = std::make_unique<engine::AsioClock>(loop);
  base.metrics = std::make_unique<engine::Metrics>();
  const auto warn = [](const std::string& message) {
    engine::log(engine::LogLevel::Warn, message);
  };
  const auto count = [metrics = base.metrics.get()](const kube::RequestMade& made) {
    metrics->api_requested(made.code, made.method, made.host);
  };
  base.kube = std::make_unique<KubeParts>(loop, config.kubernetes, warn, count);
  const Wiring wiring{.loop = loop,
                      .clock = *base.clock,
                      .config = config,
                      .kube = *base.kube,
                      .die_with_parent = options.die_with_parent,
                      .warn = warn,
                      .slow_lease = [metrics = base.metrics.get()] { metrics->lease_delayed(); }};
  const bool given = options.store != nullptr;
  auto store = options.store ? Result<std::unique_ptr<ports::Store>>(std::move(options.store))
                             : make_configured_store(wiring);
  if (!store) return std::unexpected(store.error());
  auto lock = given ? make_local_lock(wiring) : make_lock(wiring);
  if (!lock) return std::unexpected(lock.error());
  base.kube->write_only_while([held = lock->get()] { return held->still_held(); });
  auto events = given ? Result<std::unique_ptr<ports::EventSink>>(nullptr) : make_events(wiring);
  if (!events) return std::unexpected(events.error());
  std::vector<std::unique_ptr<ports::Runtime>> runtimes;
  for (const auto& each : config.runtimes) {
    auto runtime = make_runtime(wiring, each);
    if (!runtime) return std::unexpected(runtime.error());
    runtimes.push_back(std::move(*runtime));
  }
  return std::make_unique<RealDirector>(loop, config, std::move(base),
                                        RealDirector::Parts{std::move(*store), std::move(runtimes),
                                                            std::move(*lock), std::move(*events)});
}

}  // namespace atq::app
