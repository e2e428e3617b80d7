#pragma once
// From a run's frozen spec to the objects of the cluster: the Service, which is the run's record
// and owns the rest, and up to three Jobs. Pure; tests/data/kubernetes holds what comes out.
// Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "controller/api/profile.hpp"
#include "controller/core/world.hpp"
#include "src/base/error.hpp"
#include "src/runtimes/kubernetes/readiness.hpp"
#include "src/runtimes/kubernetes/record.hpp"

namespace atq::kubernetes {

inline constexpr char kMainContainer[] = "main";
inline constexpr char kAgentContainer[] = "agent";  ///< the init container
inline constexpr char kDataFolder[] = "/atq/data";
inline constexpr char kOutFolder[] = "/atq/out";
inline constexpr char kBinFolder[] = "/atq/bin";
inline constexpr char kAgentPath[] = "/atq/bin/atq-agent";
inline constexpr char kChecksFolder[] = "/atq/checks";

/// The agent kills the tool so much sooner than the kubelet would kill the agent.
inline constexpr int kGraceMarginSeconds = 2;
/// Pods of a node that does not answer are given up after it (the default is 300 s).
inline constexpr int kNodeLossSeconds = 30;

struct ObjectContext {
  const api::FrozenSpec& frozen;
  core::RunId id;
  api::Key key;              ///< of the LoadTest; its namespace is the objects'
  std::string loadtest_uid;  ///< owner of the Service; "" = the LoadTest is no object there
  std::string service_uid;   ///< owner of the Jobs
  std::string agent_image, agent_pull_policy;
  std::string fence;  ///< first value of kReleaseAnnotation
  std::vector<PlacedFile> files;
  /// Workers' addresses by index, for what is created after the discovery; "" = lost.
  std::vector<std::string> addresses;
};

/// `packed_frozen`: pack(encode_frozen()). Invalid where it does not fit into an object.
Result<nlohmann::json> service_object(const ObjectContext& context,
                                      const std::string& packed_frozen);
/// Invalid: files too large, a podTemplate that cannot be merged, no command.
Result<nlohmann::json> worker_job(const ObjectContext& context);
/// Created suspended.
Result<nlohmann::json> master_job(const ObjectContext& context);
/// In place of a master: starts the workers that wait, all at once.
nlohmann::json starter_job(const ObjectContext& context);
/// All checks against all workers: one container of the agent's for the network ones, one for each
/// image of an exec check. Invalid: too many targets for one object.
Result<nlohmann::json> probe_job(const ObjectContext& context);

/// What the spec asks for that cannot be had here. Invalid with the reason.
Result<void> check_supported(const api::FrozenSpec& frozen);

}  // namespace atq::kubernetes
