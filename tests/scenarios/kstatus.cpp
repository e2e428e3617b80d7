#include "tests/scenarios/kstatus.hpp"

#include <nlohmann/json.hpp>

#include "controller/api/codec.hpp"

namespace atq::scenarios {

using nlohmann::json;

// In the order of GetStatus(): deletion, generation, the two standard conditions in the order of
// the list, Ready.
std::string kstatus(const api::LoadTest& test) {
  const json object = json::parse(api::encode_json(test));
  const json metadata = object.value("metadata", json::object());
  const json status = object.value("status", json::object());
  if (metadata.contains("deletionTimestamp")) return "Terminating";
  if (status.contains("observedGeneration") &&
      status["observedGeneration"] != metadata.value("generation", 0)) {
    return "InProgress";
  }
  const json conditions = status.value("conditions", json::array());
  for (const json& condition : conditions) {
    if (condition["status"] != "True") continue;
    if (condition["type"] == "Reconciling") return "InProgress";
    if (condition["type"] == "Stalled") return "Failed";
  }
  for (const json& condition : conditions) {
    if (condition["type"] == "Ready")
      return condition["status"] == "True" ? "Current" : "InProgress";
  }
  return "Current";
}

/// A run is asked for that the last one has not served.
static bool wants_run(const api::LoadTest& test) {
  const auto rerun = test.metadata.annotations.find("atq.dev/rerun");
  return test.spec.run_nonce != test.status.run.nonce ||
         (rerun != test.metadata.annotations.end() && rerun->second != test.status.run.rerun_token);
}

std::string expected_kstatus(const api::LoadTest& test, bool accepted) {
  if (test.metadata.deletion_timestamp) return "Terminating";
  switch (test.status.phase) {
    case api::Phase::Queued:
    case api::Phase::Discovery:
    case api::Phase::Workers:
    case api::Phase::HealthCheck:
    case api::Phase::Master:
    case api::Phase::Collecting:
      return "InProgress";
    case api::Phase::Pending:  // held by what is left of the last run, or by a spec that only an
                               // edit mends
      return accepted ? "InProgress" : "Failed";
    case api::Phase::Suspended:
      return accepted ? "Current" : "Failed";
    case api::Phase::Finished:
      if (!accepted) return "Failed";
      return wants_run(test) ? "InProgress" : "Current";
  }
  return "";
}

}  // namespace atq::scenarios
