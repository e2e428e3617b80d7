#pragma once
// A Kubernetes runtime on an API server and controllers in memory, for tests.

#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controller/engine/asio_clock.hpp"
#include "src/runtimes/kubernetes/kubernetes_runtime.hpp"
#include "tests/conformance/runtime_suite.hpp"
#include "tests/fakes/kube/fake_api.hpp"
#include "tests/fakes/kube/sim_cluster.hpp"

namespace atq::kubernetes {

class FakeCluster {
 public:
  FakeCluster() { start(); }
  ~FakeCluster() { stop(); }
  FakeCluster(const FakeCluster&) = delete;
  FakeCluster& operator=(const FakeCluster&) = delete;

  boost::asio::io_context& loop() { return loop_; }
  ports::Runtime& runtime() { return *runtime_; }
  fakes::kube::FakeApi& api() { return api_; }
  fakes::kube::SimCluster& sim() { return sim_; }

  void restart() {
    stop();
    start();
  }

  api::FrozenSpec spec(const conformance::Wanted& wanted) {
    api::FrozenSpec frozen;
    auto& spec = frozen.spec;
    spec.worker.replicas = wanted.workers;
    spec.worker.role.image = "tool:1";
    spec.worker.role.command = {"sim", word(wanted.worker_tool)};
    if (wanted.master) {
      spec.master.emplace();
      spec.master->image = "tool:1";
      spec.master->command = {"sim", word(wanted.master_tool)};
    }
    frozen.closing.pattern = conformance::kStatementPattern;
    if (wanted.check) {
      api::HealthCheckItem check{.name = "alive", .check = api::UdpCheck{.port = 53}};
      spec.health_check.checks.push_back(std::move(check));
    }
    return frozen;
  }

  /// The world moves by itself, at each write.
  void tick(const core::RunId& /*id*/, const conformance::Wanted& /*wanted*/) {}

  static constexpr bool kLogs = true, kStatements = true;

 private:
  static std::string word(conformance::Tool tool) {
    switch (tool) {
      case conformance::Tool::Forever:
        return "forever";
      case conformance::Tool::ExitZero:
        return "exit0";
      case conformance::Tool::ExitThree:
        return "exit3";
    }
    return "";
  }

  void start() {
    client_ = api_.connect("director-" + std::to_string(++directors_));
    Options options{.agent_image = "atq.dev/atq-director:test", .loadtests_own = false};
    runtime_ = std::make_unique<KubernetesRuntime>(loop_, *client_, std::move(options));
    const auto started = conformance::run(loop_, runtime_->start());
    if (!started) throw std::runtime_error(started.error().message);
  }
  void stop() {
    conformance::run(loop_, runtime_->stop());
    client_->stop();
    loop_.restart();
    loop_.poll();
    runtime_.reset();
    client_.reset();
  }

  boost::asio::io_context loop_;
  engine::AsioClock clock_{loop_};
  fakes::kube::FakeApi api_{loop_, clock_};
  fakes::kube::SimCluster sim_{loop_, api_};
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<KubernetesRuntime> runtime_;
  int directors_ = 0;
};

}  // namespace atq::kubernetes
