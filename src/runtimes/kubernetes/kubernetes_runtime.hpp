#pragma once
// Workers and masters as Jobs of a Kubernetes cluster: ports::Runtime over kube::Client
// (docs/runtimes/kubernetes.md). The cluster holds everything: a run is its Service, whose
// annotations carry the frozen spec, and at most three Jobs that the Service owns. What is held in
// memory is a copy, kept by watches.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "controller/ports/runtime.hpp"
#include "src/kube/client.hpp"

namespace atq::kubernetes {

struct Options {
  std::string name = "kubernetes";
  std::vector<std::string> namespaces;  ///< watched and written to; empty: all of the cluster
  std::string agent_image;              ///< has /atq-agent; the same version as the director
  std::string agent_pull_policy = "IfNotPresent";  ///< of that image alone
  /// LoadTests are objects of this cluster: their runs go with them. Without it (the store is
  /// another) runs have no owner and are swept by the engine.
  bool loadtests_own = true;
  std::chrono::milliseconds sync_timeout{60'000};  ///< of start(): until every cache is filled
  /// What a person should know and no status says; called on the engine's thread.
  std::function<void(const std::string& message)> warn;
};

class KubernetesRuntime final : public ports::Runtime {
 public:
  /// `loop` is the engine's; it and `client` outlive this object.
  KubernetesRuntime(boost::asio::io_context& loop, kube::Client& client, Options options);
  ~KubernetesRuntime() override;

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

}  // namespace atq::kubernetes
