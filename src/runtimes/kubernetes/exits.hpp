#pragma once
// How a pod ended: by the agent's record in its termination message, else by what the kubelet, the
// scheduler or the node controller say. Pure.

#include <optional>
#include <string>
#include <vector>

#include "controller/api/profile.hpp"
#include "controller/core/world.hpp"
#include "src/runtimes/kubernetes/views.hpp"

namespace atq::kubernetes {

struct End {
  core::Exit exit;
  std::string output;   ///< the last lines, for the profile's diagnoses
  std::string message;  ///< the termination message as it is (a starter's report)
};

/// nullopt while it may still run. A pod on a node that went away has ended: it may run on there,
/// but nothing of it counts any more.
std::optional<End> read_end(const PodView& pod);

/// The profile's word on an end that is no success and has no explanation yet.
core::Exit explain(const End& end, const std::vector<api::Diagnosis>& diagnoses);

/// Why the containers of a pod do not run yet: "ErrImagePull: …", "unschedulable: …". "" where all
/// goes its usual way.
std::string describe_trouble(const PodView& pod);

}  // namespace atq::kubernetes
