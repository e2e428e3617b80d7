#pragma once
// LoadTests on a cluster, and what belongs to a run there, through a kube::Client.

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "controller/core/world.hpp"
#include "src/cli/api_client.hpp"
#include "src/kube/client.hpp"
#include "src/kube/resource.hpp"

namespace atq::cli {

inline constexpr kube::Resource kLoadTests{"atq.dev", "v1alpha1", "loadtests", "LoadTest"};

/// The object with what is wrong with it in the director's eyes.
Result<Item> item_of(const nlohmann::json& object);

/// Collects the events of a watch from its pieces (one JSON object a line). Pure.
class WatchLines {
 public:
  struct Event {
    std::string type;  ///< ADDED, MODIFIED, DELETED
    std::shared_ptr<const nlohmann::json> object;
  };
  /// Events that have become whole. Bookmarks move `version()` alone. Gone where the server keeps
  /// no such history, else what an ERROR event says; Invalid: no watch event, or one above 8 MiB.
  Result<std::vector<Event>> feed(std::string_view piece);
  const std::string& version() const noexcept { return version_; }

 private:
  Result<std::vector<Event>> take(std::string_view line);
  std::string pending_;
  std::string version_;
};

/// A pod of a run, as far as the command line needs it.
struct RunPod {
  std::string name;
  std::string container;  ///< whose output is the tool's
  core::Role role = core::Role::Worker;
  int index = 0;
  std::optional<core::Exit> exit;  ///< without last lines
  std::string diagnosis;           ///< "OOMKilled", "Evicted: …"; "" = none
};

/// In the order of role and index; of several pods of one place the newest. Foreign roles (probes)
/// are left out.
net::Task<Result<std::vector<RunPod>>> list_run_pods(kube::Client& client, std::string ns,
                                                     core::RunId run);

/// "/api/v1/namespaces/NS/pods/NAME/log?…"; `tail` 0: all.
std::string log_target(const std::string& ns, const RunPod& pod, bool follow, int64_t tail);

/// Asks for the annotation by a merge patch.
net::Task<Result<void>> annotate(kube::Client& client, api::Key key, std::string_view annotation,
                                 std::string value);

/// Unlike any other of one object.
std::string new_rerun_token();

/// For messages about a kind that the server does not have.
Error explain(Error error);

}  // namespace atq::cli
