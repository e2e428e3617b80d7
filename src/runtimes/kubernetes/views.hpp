#pragma once
// What is kept of an object of the cluster: the few fields that decide, read once when it comes.
// Pure; any JSON is accepted, as a server's answers are foreign input.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "controller/core/world.hpp"
#include "src/runtimes/kubernetes/names.hpp"

namespace atq::kubernetes {

struct ObjectView {
  std::string ns, name, uid, version;
  std::string owner_uid;     ///< of the controlling owner
  std::string owner;         ///< "Service checkout-4-…", for messages
  std::string loadtest_uid;  ///< as a label's value
  int64_t run = 0;
  std::string run_id;  ///< the Service's name
  Part part = Part::Network;
  bool deleting = false;
};

struct ServiceView : ObjectView {
  std::string uid_whole;  ///< of the LoadTest
  api::Key key;
  std::string frozen, files, collected;  ///< packed
  std::string release;                   ///< kReleaseAnnotation
};

struct JobView : ObjectView {
  bool suspended = false;
  std::string release;
  bool finished = false;                          ///< Complete or Failed
  std::string failure;                            ///< reason and message of Failed
  std::string completed_indexes, failed_indexes;  ///< "1,3-5"
  int active = 0;
};

struct ContainerView {
  enum class State { None, Waiting, Running, Ended } state = State::None;
  bool ready = false;
  std::string reason, message;  ///< of waiting or ended
  int exit_code = 0, signal = 0;
  std::optional<TimePoint> started_at, finished_at;
};

struct PodView : ObjectView {
  int index = 0;
  std::string phase, reason, message;
  std::vector<std::string> addresses;
  ContainerView agent, main;                        ///< main: the first container
  std::map<std::string, ContainerView> containers;  ///< all but the agent, by name
  std::string unschedulable;                        ///< PodScheduled=False: its message
  std::string disruption;                           ///< DisruptionTarget=True: "reason: message"
  std::string disruption_reason;
  std::optional<TimePoint> disrupted_at;
  bool scheduled = false;
  std::optional<TimePoint> created_at;
  std::string memory_limit;  ///< of main

  bool ended() const { return phase == "Failed" || phase == "Succeeded"; }
  /// A container runs or may yet: the phase of a pod being deleted stays Running after its
  /// containers have ended.
  bool alive() const;
};

/// Errors: not one of ours (labels missing or broken). The kind decides what is read.
std::optional<ServiceView> read_service(const nlohmann::json& object);
std::optional<JobView> read_job(const nlohmann::json& object);
std::optional<PodView> read_pod(const nlohmann::json& object);

/// Whether `index` is in "0,3-5,7".
bool contains_index(std::string_view ranges, int index) noexcept;

}  // namespace atq::kubernetes
