#pragma once
// From a plan's actions to calls of the ports, in their order, up to the first that fails. Every
// call has a deadline: 30 s, 60 s to remove a run; what misses it is left behind, and nothing more
// is done for that object until it has returned.

#include <optional>

#include "controller/core/plan.hpp"
#include "controller/engine/state.hpp"

namespace atq::engine {

inline constexpr Duration kCallLimit = std::chrono::seconds(30);
inline constexpr Duration kRemoveLimit = std::chrono::seconds(60);

/// What one pass is about.
struct Subject {
  WorkItem item;
  CachedTestPtr cached;                 ///< null: the object has gone from the store
  std::shared_ptr<api::LoadTest> test;  ///< its status is ahead of the stored one during a pass
  api::LoadTestStatus stored;           ///< the status that is durable
  std::string id;                       ///< of the pass, for the log
  TimePoint deadline{};                 ///< of the pass; 30 s, moved by the removal of runs
};

class Executor {
 public:
  explicit Executor(EngineState& state) : state_(state) {}

  /// One action. Errors are those of the ports; Conflict too where a release is refused; Canceled
  /// where leadership is lost. Arguments must outlive the call.
  AsyncResult<void> carry_out(const core::Action& action, const Subject& subject);
  /// True where an earlier call for this object has missed its deadline and not returned yet.
  bool is_stuck(const std::string& uid) const { return late_.contains(uid); }

 private:
  using Call = std::function<AsyncResult<void>(ports::Runtime&)>;

  AsyncResult<void> act(const core::BeginRun& action, const Subject& subject);
  AsyncResult<void> act(const core::EnsureWorkers& action, const Subject& subject);
  AsyncResult<void> act(const core::EnsureChecks& action, const Subject& subject);
  AsyncResult<void> act(const core::EnsureMaster& action, const Subject& subject);
  AsyncResult<void> act(const core::Release& action, const Subject& subject);
  AsyncResult<void> act(const core::StopChecks& action, const Subject& subject);
  AsyncResult<void> act(const core::Stop& action, const Subject& subject);
  AsyncResult<void> act(const core::Collect& action, const Subject& subject);
  AsyncResult<void> act(const core::RemoveRun& action, const Subject& subject);
  AsyncResult<void> act(const core::Finalize& action, const Subject& subject);

  AsyncResult<void> on_runtime(core::RunId run, std::string_view what, const Subject& subject,
                               Call call);
  AsyncResult<void> timed(std::string uid, std::string_view what, Duration limit,
                          std::function<AsyncResult<void>()> call);
  AsyncResult<void> tracked(std::string uid, std::string what,
                            std::function<AsyncResult<void>()> call);
  AsyncResult<void> check_release(const core::Release& action, const Subject& subject);

  EngineState& state_;
  std::map<std::string, std::string> late_;  // uid -> the call under way
};

/// The files of a run for BeginRun: inline contents, and local copies of `path` from the store.
/// What the runtime reads itself (Capabilities::config_maps) is left to it. Invalid: a source that
/// neither this store nor this runtime has, a name given twice for a role.
Result<std::vector<ports::RunFile>> gather_files(ports::Store& store, const api::Key& key,
                                                 const api::LoadTestSpec& spec,
                                                 const core::Capabilities& runtime);

/// Why a role may not be released, as the live object stands; empty: it may.
std::string refusal_of_release(const core::Release& action, const api::LoadTest& live);

}  // namespace atq::engine
