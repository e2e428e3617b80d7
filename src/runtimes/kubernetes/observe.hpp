#pragma once
// From the objects of a run to what the engine is told of it. Pure.

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "controller/api/profile.hpp"
#include "controller/core/world.hpp"
#include "src/agent/protocol.hpp"
#include "src/runtimes/kubernetes/run_cache.hpp"

namespace atq::kubernetes {

/// What is known of a run beside its objects, and can be found out again after a restart.
struct RunMemory {
  bool checks_asked = false;  ///< ensure_checks() where a native probe does them
  bool checks_stopped = false;
  /// By name and worker, from the prober's output.
  std::map<std::pair<std::string, int>, core::CheckResult> checks;
  std::optional<agent::StartReport> start_report;
  bool start_read = false;  ///< the starter's output has been read, or cannot be
  std::string problem;      ///< from events: quota, a missing ConfigMap
};

core::ObservedRun observe_run(const RunObjects& run, const api::FrozenSpec& frozen,
                              const RunMemory& memory);

/// Where the record cannot be read: that alone is told, so that the run can be removed.
core::ObservedRun observe_damaged(int64_t number, std::string problem);

/// The pod of a replica that counts: one that has not ended and is not being deleted, if there is
/// one, else the newest.
const PodView* pod_of(const RunObjects& run, Part part, int index);

/// The run's Job of that part; null where there is none, or one that another Service owns (of the
/// same name, deleted and made again): it is going.
const JobView* job_of(const RunObjects& run, Part part);

/// A pod of that part runs or may still come to.
bool is_active(const RunObjects& run, Part part);

/// The release annotation is a nonce: what it stands on waits for its release.
bool is_nonce(const std::string& release);

/// Addresses of the workers by index, "" where not known.
std::vector<std::string> addresses_of(const RunObjects& run, int workers);

}  // namespace atq::kubernetes
