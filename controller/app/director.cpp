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
  RealDirector(boost::asio::io_context& loop, const Config& config,
               std::unique_ptr<engine::AsioClock> clock, std::unique_ptr<ports::Store> store,
               std::vector<std::unique_ptr<ports::Runtime>> runtimes)
      : clock_(std::move(clock)),
        store_(std::move(store)),
        runtimes_(std::move(runtimes)),
        lock_(loop, *clock_, config.data + "/lock"),
        manager_(parts(loop), options(config)) {}

  AsyncResult<void> run() override { return manager_.run(); }
  void stop() override { manager_.stop(); }
  engine::Operations& operations() override { return manager_.operations(); }
  ports::Runtime& runtime() override { return *runtimes_.front(); }

 private:
  engine::Manager::Parts parts(boost::asio::io_context& loop) {
    std::vector<ports::Runtime*> runtimes;
    runtimes.reserve(runtimes_.size());
    for (const auto& runtime : runtimes_) runtimes.push_back(runtime.get());
    return {loop, *clock_, *store_, std::move(runtimes), lock_, metrics_};
  }
  static engine::ManagerOptions options(const Config& config) {
    engine::ManagerOptions options;
    options.controller.max_concurrent_reconciles = config.max_concurrent_reconciles;
    for (const auto& runtime : config.runtimes) {
      options.controller.run_limits[runtime.name] = runtime.max_concurrent_runs;
    }
    return options;
  }

  std::unique_ptr<engine::AsioClock> clock_;
  std::unique_ptr<ports::Store> store_;
  std::vector<std::unique_ptr<ports::Runtime>> runtimes_;
  locks::FileLock lock_;
  engine::Metrics metrics_;
  engine::Manager manager_;
};

Result<void> make_data_folder(const std::string& path) {
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
  return make_store(wiring);
}

}  // namespace

Result<std::unique_ptr<Director>> Director::make(boost::asio::io_context& loop,
                                                 const Config& config, Options options) {
  if (const auto made = make_data_folder(config.data); !made) return std::unexpected(made.error());
  auto clock = std::make_unique<engine::AsioClock>(loop);
  const auto warn = [](const std::string& message) {
    engine::log(engine::LogLevel::Warn, message);
  };
  const Wiring wiring{loop, *clock, config, options.die_with_parent, warn};
  auto store = options.store ? Result<std::unique_ptr<ports::Store>>(std::move(options.store))
                             : make_configured_store(wiring);
  if (!store) return std::unexpected(store.error());
  std::vector<std::unique_ptr<ports::Runtime>> runtimes;
  for (const auto& each : config.runtimes) {
    auto runtime = make_runtime(wiring, each);
    if (!runtime) return std::unexpected(runtime.error());
    runtimes.push_back(std::move(*runtime));
  }
  return std::make_unique<RealDirector>(loop, config, std::move(clock), std::move(*store),
                                        std::move(runtimes));
}

}  // namespace atq::app
