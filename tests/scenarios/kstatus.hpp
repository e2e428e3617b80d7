#pragma once
// What GitOps tools take an object for: the rules of kstatus (sigs.k8s.io/cli-utils,
// pkg/kstatus/status), by which Flux and `kpt live` wait. Written again here, as the library is Go.

#include <string>
#include <string_view>

#include "controller/api/types.hpp"

namespace atq::scenarios {

/// "Terminating", "InProgress", "Failed" or "Current".
std::string kstatus(const api::LoadTest& test);

/// What it should be taken for, by the phase and what the object is in.
std::string expected_kstatus(const api::LoadTest& test, bool accepted);

}  // namespace atq::scenarios
