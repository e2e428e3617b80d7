#pragma once
// The one table of stores and runtimes: adding one is a line in registry.cpp.

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "controller/app/config.hpp"
#include "controller/app/kube_parts.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/event_sink.hpp"
#include "controller/ports/leader_lock.hpp"
#include "controller/ports/runtime.hpp"
#include "controller/ports/store.hpp"

namespace atq::app {

/// What adapters are made of; all of it outlives them.
struct Wiring {
  boost::asio::io_context& loop;
  ports::Clock& clock;
  const Config& config;
  KubeParts& kube;
  bool die_with_parent = false;                  ///< `atq run`: no process outlives this one
  std::function<void(const std::string&)> warn;  ///< what a person should know and no status says
  std::function<void()> slow_lease;              ///< a renewal of the lease took the long way
};

/// Invalid for a type that is not in the table (the message lists those that are).
Result<std::unique_ptr<ports::Store>> make_store(const Wiring& wiring);
/// The lock that goes with the store.
Result<std::unique_ptr<ports::LeaderLock>> make_lock(const Wiring& wiring);
/// The store's own events; null where it has none.
Result<std::unique_ptr<ports::EventSink>> make_events(const Wiring& wiring);
/// Whether the store keeps its state in the folder Config::data.
Result<bool> needs_data(const std::string& store_type);
Result<std::unique_ptr<ports::Runtime>> make_runtime(const Wiring& wiring,
                                                     const RuntimeConfig& runtime);

/// Whether the store can drive that type of runtime: the directory store any, others their own.
Result<void> check_pair(const std::string& store_type, const std::string& runtime_type);

/// The atq-agent program: as configured, else beside this program, else on PATH. NotFound.
Result<std::string> find_agent(const std::string& configured);

}  // namespace atq::app
