#pragma once
// Workers and masters as processes of this machine: ports::Runtime over folders below DATA/runs and
// atq-agent (docs/runtimes/process.md). Everything that must survive the director is in those
// folders; what is held in memory is read from them at start().

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "controller/ports/runtime.hpp"

namespace atq::process {

struct Options {
  std::string name = "process";
  std::filesystem::path data_dir;    ///< made where it does not exist; one director at a time
  std::filesystem::path agent_path;  ///< the atq-agent program
  bool die_with_parent = false;      ///< `atq run`: no process outlives this one
  std::string address_block = "127.77.0.0/16";  ///< inside 127.0.0.0/8
  /// What a person should know and no status says; called on the engine's thread.
  std::function<void(const std::string& message)> warn;
};

class ProcessRuntime final : public ports::Runtime {
 public:
  /// `loop` is the engine's and outlives this object. Spawns on the thread that runs it.
  ProcessRuntime(boost::asio::io_context& loop, Options options);
  ~ProcessRuntime() override;

  std::string name() const override;
  core::Capabilities capabilities() const override;
  AsyncResult<void> start() override;
  Task<void> stop() override;
  void on_change(std::function<void(const std::string& uid)> callback) override;
  AsyncResult<std::vector<core::ObservedRun>> observe(const std::string& uid) override;
  std::vector<ports::KnownRun> known_runs() override;
  AsyncResult<void> begin(const ports::RunStart& start) override;
  AsyncResult<void> ensure_workers(const core::RunId& run) override;
  AsyncResult<void> ensure_checks(const core::RunId& run) override;
  AsyncResult<void> ensure_master(const core::RunId& run) override;
  AsyncResult<void> release(const core::RunId& run, core::Role role,
                            const std::string& version) override;
  AsyncResult<void> stop_checks(const core::RunId& run) override;
  AsyncResult<void> stop_role(const core::RunId& run, core::Role role, core::StopMode mode,
                              Duration grace) override;
  AsyncResult<void> collect(const core::RunId& run) override;
  AsyncResult<void> remove(const core::RunId& run) override;
  AsyncResult<void> logs(const core::RunId& run, const ports::LogOptions& options,
                         LogWriter write) override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace atq::process
