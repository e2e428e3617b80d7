#pragma once
// The Kubernetes runtime's inside. Everything runs on the engine's thread. The definitions stand by
// topic: runtime.cpp (life, observation), create.cpp (begin, ensure_*), release.cpp (release,
// stop), results.cpp (collect, remove), logs.cpp, follow.cpp (what is read in the background).

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json_fwd.hpp>

#include "src/kube/objects.hpp"
#include "src/kube/reflector.hpp"
#include "src/net/cancel.hpp"
#include "src/runtimes/kubernetes/kubernetes_runtime.hpp"
#include "src/runtimes/kubernetes/objects.hpp"
#include "src/runtimes/kubernetes/observe.hpp"
#include "src/runtimes/kubernetes/run_cache.hpp"

namespace atq::kubernetes {

using FrozenPtr = std::shared_ptr<const api::FrozenSpec>;
using SteadyTime = std::chrono::steady_clock::time_point;

/// What is held of a run beside the cache.
struct RunEntry {
  RunMemory memory;
  std::weak_ptr<const api::FrozenSpec> frozen;
  std::set<std::string> followed;  ///< containers of the prober whose output is being read
  bool scouting = false;           ///< somebody looks for why its pods do not come
  bool reading_start = false;
  std::map<Part, SteadyTime> killed_at;
};

class KubernetesRuntime::Impl : public std::enable_shared_from_this<KubernetesRuntime::Impl> {
 public:
  Impl(boost::asio::io_context& loop, kube::Client& client, Options options);

  AsyncResult<void> start();
  Task<void> stop();
  Result<std::vector<core::ObservedRun>> observe(const std::string& uid);
  std::vector<ports::KnownRun> known_runs();
  AsyncResult<void> begin(ports::RunStart start);
  AsyncResult<void> ensure_workers(core::RunId id);
  AsyncResult<void> ensure_checks(core::RunId id);
  AsyncResult<void> ensure_master(core::RunId id);
  AsyncResult<void> release(core::RunId id, core::Role role, std::string version);
  AsyncResult<void> stop_checks(core::RunId id);
  AsyncResult<void> stop_role(core::RunId id, core::Role role, core::StopMode mode);
  AsyncResult<void> collect(core::RunId id);
  AsyncResult<void> remove(core::RunId id);
  AsyncResult<void> logs(core::RunId id, ports::LogOptions options, LogWriter write);

  Options options_;
  std::function<void(const std::string&)> on_change_;

 private:
  class Busy;
  class Sink;
  struct Watching;

  /// A run that exists, with its record.
  struct Found {
    RunKey key;
    FrozenPtr frozen;
  };

  // ---- runtime.cpp
  std::optional<RunKey> find(const core::RunId& id) const;
  Result<Found> require(const core::RunId& id);
  Result<FrozenPtr> frozen_of(const RunKey& key, const ServiceView& service);
  Result<ObjectContext> context_of(const Found& found) const;
  void touched(const RunKey& key);
  void warn(const std::string& message) const;
  void spawn_task(Task<void> task);
  /// Until the next change of anything, or the deadline.
  Task<void> wait_change(SteadyTime deadline);
  bool all_synced() const;
  Task<void> run_reflector(std::shared_ptr<Watching> watching);
  Task<void> look_again(DoubtfulObject object);
  Task<void> bump_inert();

  // ---- create.cpp
  Result<std::vector<PlacedFile>> read_local_files(const std::vector<ports::RunFile>& files) const;
  AsyncResult<void> create(Kind kind, std::string ns, nlohmann::json object, std::string owner_uid);
  AsyncResult<void> adopt(Kind kind, std::string ns, std::string name, std::string owner_uid);
  AsyncResult<void> create_job(Found found, Part part, Result<nlohmann::json> job);

  // ---- release.cpp
  /// A JSON patch guarded by the release annotation. Conflict where it has moved.
  AsyncResult<void> step(Kind kind, std::string ns, std::string name, std::string from,
                         std::string to, std::optional<bool> suspend);
  AsyncResult<void> patch(Kind kind, std::string ns, std::string name, nlohmann::json change,
                          std::string type);
  AsyncResult<void> release_workers(Found found, std::string version);
  AsyncResult<void> release_master(Found found, std::string version);
  AsyncResult<void> suspend(RunKey key, Part part);
  AsyncResult<void> kill_pods(RunKey key, std::optional<Part> part);
  AsyncResult<void> stop_part(RunKey key, Part part, core::StopMode mode);

  // ---- results.cpp, logs.cpp
  /// The end of a container's output; "" where there is none (any more).
  AsyncResult<std::string> read_log(std::string ns, std::string pod);
  /// A pod's log in pieces; ended by stop(), too.
  AsyncResult<void> stream_log(kube::Call call, std::function<bool(std::string_view)> sink);
  AsyncResult<std::string> await_output(RunKey key, ports::LogOptions options, FrozenPtr frozen);
  AsyncResult<Collected> read_results(Found found);

  // ---- follow.cpp
  /// Begins to read what the run's pods have to say and nobody reads yet.
  void follow(const RunKey& key);
  Task<void> follow_prober(RunKey key, std::string pod, std::string container);
  bool has_passed_all(const RunKey& key);
  void take_report(const RunKey& key, std::string_view line);
  Task<void> read_start(RunKey key, std::string pod);
  /// Until all pods run: asks the cluster's events why they do not.
  void begin_scouting(const RunKey& key);
  Task<void> scout(RunKey key);
  AsyncResult<std::string> warning_of(std::string ns, std::string uid);

  boost::asio::io_context& loop_;
  kube::Client& client_;
  std::string fence_;  ///< this director's, see kReleaseAnnotation
  RunCache cache_;
  std::map<RunKey, RunEntry> entries_;
  std::list<std::shared_ptr<Watching>> watchings_;
  std::set<std::shared_ptr<net::Canceler>> streams_;
  std::set<boost::asio::steady_timer*> waiters_;
  std::optional<Error> broken_;  ///< a watch that will never be let
  bool stopping_ = false;
  int busy_ = 0;
};

/// What stop() waits for.
class KubernetesRuntime::Impl::Busy {
 public:
  explicit Busy(Impl& owner) : owner_(owner.shared_from_this()) { ++owner_->busy_; }
  ~Busy() {
    if (--owner_->busy_ == 0) {
      for (auto* waiter : owner_->waiters_) waiter->cancel();
    }
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::shared_ptr<Impl> owner_;
};

const kube::Resource& resource_of(Kind kind);

}  // namespace atq::kubernetes
