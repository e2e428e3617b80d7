#pragma once
// The process collector that Prometheus' client libraries for other languages have: CPU, memory,
// files and start time, read from /proc/self when asked. Internal to the engine.

#include <vector>

#include <prometheus/metric_family.h>

namespace atq::engine {

/// What cannot be read is left out.
std::vector<prometheus::MetricFamily> collect_process_metrics();

}  // namespace atq::engine
