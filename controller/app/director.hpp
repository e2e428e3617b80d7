#pragma once
// Everything of a director put together: store, runtimes, lock, engine. atq-director adds the
// servers and signals; `atq run` the terminal.

#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

#include "controller/app/config.hpp"
#include "controller/engine/operations.hpp"
#include "controller/ports/store.hpp"
#include "controller/ports/task.hpp"

namespace atq::app {

class Director {
 public:
  struct Options {
    bool die_with_parent = false;         ///< processes of runs end with this process
    std::unique_ptr<ports::Store> store;  ///< instead of the configured one
  };

  /// Makes the parts; nothing runs yet. `loop` outlives the director. Errors: the configuration
  /// names what does not exist.
  static Result<std::unique_ptr<Director>> make(boost::asio::io_context& loop, const Config& config,
                                                Options options);
  virtual ~Director() = default;

  /// Runs until stop() (success) or until going on is pointless. Once.
  virtual AsyncResult<void> run() = 0;
  /// Drains: passes under way end, the runs themselves go on. More than once, on the loop's thread.
  virtual void stop() = 0;
  virtual engine::Operations& operations() = 0;
  /// The first runtime.
  virtual ports::Runtime& runtime() = 0;
};

}  // namespace atq::app
