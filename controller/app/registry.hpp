#pragma once
// The one table of stores and runtimes: adding one is a line in registry.cpp.

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "controller/app/config.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/store.hpp"

namespace atq::app {

/// What adapters are made of; all of it outlives them.
struct Wiring {
  boost::asio::io_context& loop;
  const ports::Clock& clock;
  const Config& config;
  bool die_with_parent = false;                  ///< `atq run`: no process outlives this one
  std::function<void(const std::string&)> warn;  ///< what a person should know and no status says
};

/// Invalid for a type that is not in the table (the message lists those that are).
Result<std::unique_ptr<ports::Store>> make_store(const Wiring& wiring);
Result<std::unique_ptr<ports::Runtime>> make_runtime(const Wiring& wiring,
                                                     const RuntimeConfig& runtime);

/// Whether the store can drive that type of runtime: the directory store any, others their own.
Result<void> check_pair(const std::string& store_type, const std::string& runtime_type);

/// The atq-agent program: as configured, else beside this program, else on PATH. NotFound.
Result<std::string> find_agent(const std::string& configured);

}  // namespace atq::app
