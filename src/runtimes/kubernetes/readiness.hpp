#pragma once
// How the readiness of workers and the checks of a run are found out: by one native readiness probe
// where one says it all, which costs nothing, else by the agent (readiness) and a probe Job
// (checks). Pure.

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "controller/api/profile.hpp"

namespace atq::kubernetes {

struct ReadinessPlan {
  /// The main container's condition means the spec's readiness; else running is ready.
  bool readiness_by_container = false;
  /// It means that the only check has passed, too.
  bool check_by_container = false;
  /// The agent serves /ready on this port, and POST /start where workers wait for it; 0: no need.
  int agent_port = 0;
  std::string ready_log;  ///< for the agent

  // The native probe: exactly one of them, or none.
  int tcp_port = 0;
  std::optional<api::HttpGet> http_get;
  int timeout_seconds = 1, period_seconds = 1, success_threshold = 1;

  bool has_probe() const { return tcp_port != 0 || http_get.has_value(); }
  /// Checks need a Job of their own.
  bool needs_probe_job = false;
  bool operator==(const ReadinessPlan&) const = default;
};

/// Workers of a masterless run wait for their start, so nothing of the tool can be probed before.
ReadinessPlan plan_readiness(const api::FrozenSpec& frozen);

/// The container's readinessProbe; null without one.
nlohmann::json native_probe(const ReadinessPlan& plan);

/// "tcp 1099 not yet accepting": what a worker that runs but is not ready waits for.
std::string describe_readiness(const ReadinessPlan& plan);

}  // namespace atq::kubernetes
