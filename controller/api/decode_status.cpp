#include <nlohmann/json.hpp>

#include "controller/api/decode.hpp"
#include "controller/api/json_reader.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

constexpr std::initializer_list<Verdict> kVerdicts = {
    Verdict::Passed, Verdict::Failed, Verdict::NoData, Verdict::Error, Verdict::Aborted};

RunStatus decode_run(const json& object) {
  RunStatus run;
  read(object, "number", run.number);
  read(object, "nonce", run.nonce);
  read(object, "rerunToken", run.rerun_token);
  read(object, "specHash", run.spec_hash);
  read(object, "queuedAt", run.queued_at);
  read(object, "startedAt", run.started_at);
  read(object, "workersReadyAt", run.workers_ready_at);
  read(object, "checksPassedAt", run.checks_passed_at);
  read(object, "masterStartedAt", run.master_started_at);
  read(object, "collectingAt", run.collecting_at);
  read(object, "finishedAt", run.finished_at);
  read(object, "stopRequest", run.stop_request);
  read(object, "stopRequestedAt", run.stop_requested_at);
  return run;
}

WorkersStatus decode_workers(const json& object) {
  WorkersStatus workers;
  read(object, "desired", workers.desired);
  read(object, "discovered", workers.discovered);
  read(object, "ready", workers.ready);
  read(object, "lost", workers.lost);
  read(object, "addresses", workers.addresses);
  return workers;
}

Summary decode_summary(const json& object) {
  Summary summary;
  read(object, "final", summary.final);
  read(object, "workersReporting", summary.workers_reporting);
  read(object, "requests", summary.requests);
  read(object, "failures", summary.failures);
  read(object, "requestsPerSecond", summary.requests_per_second);
  if (const auto* latency = member(object, "latencyMicroseconds")) {
    read(*latency, "p50", summary.latency.p50);
    read(*latency, "p95", summary.latency.p95);
    read(*latency, "p99", summary.latency.p99);
    read(*latency, "max", summary.latency.max);
  }
  return summary;
}

ThresholdStatus decode_threshold(const json& object) {
  ThresholdStatus threshold;
  read(object, "expr", threshold.expr);
  read(object, "value", threshold.value);
  read_enum(object, "verdict",
            {ThresholdVerdict::NoData, ThresholdVerdict::Pass, ThresholdVerdict::Warn,
             ThresholdVerdict::Fail},
            threshold.verdict);
  return threshold;
}

std::optional<ConditionType> condition_type(const json& object) {
  const auto* type = member(object, "type");
  if (!type || !type->is_string()) return std::nullopt;
  for (size_t i = 0; i < kConditionCount; ++i) {
    const auto candidate = static_cast<ConditionType>(i);
    if (type->get_ref<const std::string&>() == to_string(candidate)) return candidate;
  }
  return std::nullopt;
}

Condition decode_condition(const json& object, ConditionType type) {
  Condition condition;
  condition.type = type;
  read_enum(object, "status",
            {ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown},
            condition.status);
  read(object, "observedGeneration", condition.observed_generation);
  read(object, "lastTransitionTime", condition.last_transition_time);
  read(object, "reason", condition.reason);
  read(object, "message", condition.message);
  return condition;
}

void decode_lists(const json& document, LoadTestStatus& status) {
  for_each_object(document, "thresholds",
                  [&](const json& item) { status.thresholds.push_back(decode_threshold(item)); });
  for_each_object(document, "artifacts", [&](const json& item) {
    auto& artifact = status.artifacts.emplace_back();
    read(item, "name", artifact.name);
    read(item, "url", artifact.url);
    read(item, "sha256", artifact.sha256);
  });
  for_each_object(document, "history", [&](const json& item) {
    auto& entry = status.history.emplace_back();
    read(item, "number", entry.number);
    read_enum(item, "verdict", kVerdicts, entry.verdict);
    read(item, "finishedAt", entry.finished_at);
  });
  for_each_object(document, "conditions", [&](const json& item) {
    if (const auto type = condition_type(item)) {
      status.conditions.push_back(decode_condition(item, *type));
    }
  });
}

}  // namespace

LoadTestStatus decode_status_object(const json& document) {
  LoadTestStatus status;
  read(document, "observedGeneration", status.observed_generation);
  read_enum(document, "phase",
            {Phase::Pending, Phase::Queued, Phase::Suspended, Phase::Discovery, Phase::Workers,
             Phase::HealthCheck, Phase::Master, Phase::Collecting, Phase::Finished},
            status.phase);
  read_enum(document, "verdict", kVerdicts, status.verdict);
  read(document, "reason", status.reason);
  read(document, "message", status.message);
  if (const auto* run = member(document, "run")) status.run = decode_run(*run);
  if (const auto* workers = member(document, "workers")) status.workers = decode_workers(*workers);
  if (const auto* start = member(document, "start")) {
    read(*start, "skewMicroseconds", status.start_skew_microseconds);
  }
  const auto* summary = member(document, "summary");
  if (summary && summary->is_object()) status.summary = decode_summary(*summary);
  decode_lists(document, status);
  return status;
}

}  // namespace atq::api
