#pragma once
// The Kubernetes runtime on a real cluster: `hack/lab kubernetes up` and its environment. The pods
// run in a namespace of the process's own, under Pod Security `restricted`.

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include "src/kube/connection.hpp"
#include "src/kube/objects.hpp"
#include "src/runtimes/kubernetes/kubernetes_runtime.hpp"
#include "tests/conformance/runtime_suite.hpp"

namespace atq::kubernetes {

inline constexpr kube::Resource kNamespaces{"", "v1", "namespaces", "Namespace"};
inline constexpr char kToolImage[] = "atq.dev/tools:lab";

/// One connection to the lab and what is asked of it outside of the runtime.
class Lab {
 public:
  static bool is_up() { return std::getenv("ATQ_LAB_CONTAINERD") != nullptr; }

  Lab() : connection_(connect(loop_)) {}

  static std::unique_ptr<kube::Client> connect(boost::asio::io_context& loop) {
    auto made = kube::connect(loop, {});
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(made->client);
  }
  static std::string ns() { return "atq-runtime-" + std::to_string(::getpid()); }

  void create_namespace() {
    nlohmann::json object = {
        {"apiVersion", "v1"},
        {"kind", "Namespace"},
        {"metadata",
         {{"name", ns()}, {"labels", {{"pod-security.kubernetes.io/enforce", "restricted"}}}}}};
    const auto made = conformance::run(
        loop_, kube::create_object(*connection_, kNamespaces, "", std::move(object)));
    if (!made) throw std::runtime_error(made.error().message);
  }
  void delete_namespace() {
    (void)conformance::run(loop_, kube::delete_object(*connection_, kNamespaces, "", ns()));
  }
  /// POST below the namespace; throws where it is refused.
  void create(const kube::Resource& resource, nlohmann::json object) {
    object["apiVersion"] = kube::api_version(resource);
    object["kind"] = resource.kind;
    const auto made =
        conformance::run(loop_, kube::create_object(*connection_, resource, ns(), object));
    if (!made) throw std::runtime_error(made.error().message);
  }
  void erase(const kube::Resource& resource, const std::string& name) {
    const auto gone = conformance::run(
        loop_, kube::delete_object(*connection_, resource, ns(), name, {.grace_seconds = 1}));
    EXPECT_TRUE(gone) << gone.error().message;
  }
  std::vector<std::string> names(const kube::Resource& resource) {
    const auto text =
        conformance::run(loop_, connection_->call({.target = kube::path_of(resource, ns())}));
    std::vector<std::string> out;
    if (!text) throw std::runtime_error(text.error().message);
    const auto list = nlohmann::json::parse(*text);
    for (const auto& item : list["items"]) {
      out.push_back(item["metadata"]["name"]);
    }
    return out;
  }
  ~Lab() {
    connection_->stop();
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(200));
  }

 private:
  boost::asio::io_context loop_;
  std::unique_ptr<kube::Client> connection_;
};

class LabDriver {
 public:
  LabDriver() { start(); }
  ~LabDriver() {
    for (const auto& run : runtime_->known_runs()) {
      const auto removed = conformance::run(loop_, runtime_->remove(run.id));
      EXPECT_TRUE(removed) << removed.error().message;
    }
    stop();
  }
  LabDriver(const LabDriver&) = delete;
  LabDriver& operator=(const LabDriver&) = delete;

  boost::asio::io_context& loop() { return loop_; }
  ports::Runtime& runtime() { return *runtime_; }
  std::string ns() const { return Lab::ns(); }
  void restart() {
    stop();
    start();
  }

  api::FrozenSpec spec(const conformance::Wanted& wanted) {
    api::FrozenSpec frozen;
    auto& spec = frozen.spec;
    spec.worker.replicas = wanted.workers;
    spec.worker.role = role(wanted.worker_tool);
    if (wanted.master) spec.master = role(wanted.master_tool);
    frozen.closing.pattern = conformance::kStatementPattern;
    if (wanted.check) {
      api::HealthCheckItem check{.name = "alive",
                                 .check = api::ExecCheck{.image = kToolImage, .command = {"true"}}};
      spec.health_check.checks.push_back(std::move(check));
    }
    return frozen;
  }

  void tick(const core::RunId& /*id*/, const conformance::Wanted& /*wanted*/) {}

  static constexpr bool kLogs = true, kStatements = true;

  static api::RoleSpec role(conformance::Tool tool) {
    api::RoleSpec role;
    role.image = kToolImage;
    switch (tool) {
      case conformance::Tool::Forever:
        role.command = {"sleep", "3600"};
        break;
      case conformance::Tool::ExitZero:
        role.command = {"sh", "-c", "echo requests=120 failures=3 rps=40.5"};
        break;
      case conformance::Tool::ExitThree:
        role.command = {"sh", "-c", "exit 3"};
        break;
    }
    return role;
  }

 private:
  void start() {
    client_ = Lab::connect(loop_);
    Options options{
        .namespaces = {ns()}, .agent_image = "atq.dev/atq-director:lab", .loadtests_own = false};
    runtime_ = std::make_unique<KubernetesRuntime>(loop_, *client_, std::move(options));
    const auto started = conformance::run(loop_, runtime_->start());
    if (!started) throw std::runtime_error(started.error().message);
  }
  void stop() {
    conformance::run(loop_, runtime_->stop());
    client_->stop();
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(100));
    runtime_.reset();
    client_.reset();
  }

  boost::asio::io_context loop_;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<KubernetesRuntime> runtime_;
};

}  // namespace atq::kubernetes
