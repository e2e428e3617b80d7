// The fake that the engine's tests run on keeps the promises of a real runtime.
#include "tests/conformance/runtime_suite.hpp"
#include "tests/fakes/fake_runtime.hpp"
#include "tests/fakes/virtual_clock.hpp"

namespace atq::conformance {
namespace {

class FakeDriver {
 public:
  static constexpr bool kLogs = false;
  static constexpr bool kStatements = true;

  FakeDriver() { restart(); }

  boost::asio::io_context& loop() { return loop_; }
  ports::Runtime& runtime() { return runtime_; }

  void restart() {
    const auto started = run(loop_, runtime_.start());
    if (!started) throw std::runtime_error(started.error().message);
  }

  api::FrozenSpec spec(const Wanted& wanted) {
    api::FrozenSpec frozen;
    frozen.spec.worker.replicas = wanted.workers;
    frozen.spec.worker.role.command = {"tool"};
    if (wanted.master) {
      frozen.spec.master.emplace();
      frozen.spec.master->command = {"tool"};
    }
    if (wanted.check) {
      frozen.spec.health_check.checks.push_back({.name = "alive", .check = api::TcpCheck{1}});
    }
    return frozen;
  }

  void tick(const core::RunId& id, const Wanted& wanted) {
    const auto* seen = runtime_.find(id);
    if (seen == nullptr) return;
    const auto ends = [](Tool tool) { return tool == Tool::ExitZero ? 0 : 3; };
    for (size_t i = 0; i < seen->workers.size(); ++i) {
      if (wanted.worker_tool != Tool::Forever &&
          seen->workers[i].state == core::ReplicaState::Running) {
        runtime_.exit_worker(id, static_cast<int>(i), ends(wanted.worker_tool));
      }
    }
    if (seen->master && seen->master->state == core::ReplicaState::Running) {
      runtime_.set_statement(id, {120, 3, "40.5"});
      if (wanted.master_tool != Tool::Forever) {
        runtime_.exit_master(id, ends(wanted.master_tool));
      }
    }
  }

 private:
  boost::asio::io_context loop_{1};
  fakes::VirtualClock clock_{loop_};
  fakes::FakeRuntime runtime_{loop_, clock_};
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, RuntimeSuite, FakeDriver);

}  // namespace atq::conformance
