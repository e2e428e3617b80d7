#pragma once
// The process runtime with real agents and small shell scripts for tools, in a folder of its own.

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "src/runtimes/process/process_runtime.hpp"
#include "tests/conformance/runtime_suite.hpp"

namespace atq::process {

/// Removed at the end, whatever is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atq-XXXXXX").native();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::vector<std::string> shell(std::string script) {
  return {"/bin/sh", "-c", std::move(script)};
}

class ProcessDriver {
 public:
  static constexpr bool kLogs = true;
  static constexpr bool kStatements = true;

  ProcessDriver() { make(); }
  ~ProcessDriver() {
    for (const auto& known : runtime_->known_runs()) {
      [[maybe_unused]] const auto removed = conformance::run(loop_, runtime_->remove(known.id));
    }
    conformance::run(loop_, runtime_->stop());
  }

  boost::asio::io_context& loop() { return loop_; }
  ports::Runtime& runtime() { return *runtime_; }
  const std::filesystem::path& data() const { return folder_.path(); }
  const std::vector<std::string>& warnings() const { return warnings_; }

  void restart() {
    conformance::run(loop_, runtime_->stop());
    runtime_.reset();
    make();
  }

  api::FrozenSpec spec(const conformance::Wanted& wanted) {
    api::FrozenSpec frozen;
    auto& spec = frozen.spec;
    spec.worker.replicas = wanted.workers;
    spec.worker.role.command = shell(script(wanted.worker_tool));
    if (wanted.master) {
      spec.master.emplace();
      spec.master->command =
          shell("echo requests=120 failures=3 rps=40.5; " + script(wanted.master_tool));
      frozen.closing.pattern = conformance::kStatementPattern;
    }
    if (wanted.check) {
      spec.health_check.checks.push_back(
          {.name = "alive", .check = api::ExecCheck{.command = {"/bin/true"}}});
    }
    return frozen;
  }

  void tick(const core::RunId&, const conformance::Wanted&) {}

 private:
  static std::string script(conformance::Tool tool) {
    switch (tool) {
      case conformance::Tool::Forever:
        return "exec sleep 600";
      case conformance::Tool::ExitZero:
        return "exit 0";
      case conformance::Tool::ExitThree:
        return "exit 3";
    }
    return "exit 99";
  }

  void make() {
    Options options;
    options.data_dir = folder_.path();
    options.agent_path = ATQ_AGENT;
    options.warn = [this](const std::string& message) { warnings_.push_back(message); };
    runtime_ = std::make_unique<ProcessRuntime>(loop_, std::move(options));
    const auto started = conformance::run(loop_, runtime_->start());
    if (!started) throw std::runtime_error(started.error().message);
  }

  TemporaryFolder folder_;
  boost::asio::io_context loop_{1};
  std::vector<std::string> warnings_;
  std::unique_ptr<ProcessRuntime> runtime_;
};

}  // namespace atq::process
