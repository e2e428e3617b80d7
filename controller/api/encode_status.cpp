#include <algorithm>
#include <cmath>

#include "controller/api/codec.hpp"
#include "controller/api/json_writer.hpp"
#include "src/base/text.hpp"

namespace atq::api {
namespace {

void write_run(JsonWriter& json, const RunStatus& run) {
  const auto mark = json.open("run");
  json.number("number", run.number);
  json.text("nonce", run.nonce);
  json.text("rerunToken", run.rerun_token);
  json.text("specHash", run.spec_hash);
  json.time("queuedAt", run.queued_at);
  json.time("startedAt", run.started_at);
  json.time("workersReadyAt", run.workers_ready_at);
  json.time("checksPassedAt", run.checks_passed_at);
  json.time("masterStartedAt", run.master_started_at);
  json.time("collectingAt", run.collecting_at);
  json.time("finishedAt", run.finished_at);
  json.text("stopRequest", run.stop_request);
  json.time("stopRequestedAt", run.stop_requested_at);
  json.close(mark);
}

void write_workers(JsonWriter& json, const WorkersStatus& workers) {
  if (workers == WorkersStatus{}) return;
  json.open("workers");
  json.always_number("desired", workers.desired);
  json.always_number("discovered", workers.discovered);
  json.always_number("ready", workers.ready);
  json.always_number("lost", workers.lost);
  json.list("addresses", workers.addresses);
  json.close_keep();
}

void write_latency(JsonWriter& json, const LatencySummary& latency) {
  const auto mark = json.open("latencyMicroseconds");
  if (latency.p50) json.always_number("p50", *latency.p50);
  if (latency.p95) json.always_number("p95", *latency.p95);
  if (latency.p99) json.always_number("p99", *latency.p99);
  if (latency.max) json.always_number("max", *latency.max);
  json.close(mark);
}

void write_summary(JsonWriter& json, const Summary& summary) {
  json.open("summary");
  json.always_flag("final", summary.final);
  json.always_number("workersReporting", summary.workers_reporting);
  json.always_number("requests", summary.requests);
  json.always_number("failures", summary.failures);
  json.text("requestsPerSecond", summary.requests_per_second);
  write_latency(json, summary.latency);
  json.close_keep();
}

/// "0.49" for 1 of 204, rounded half up.
std::string percent_text(int64_t part, int64_t whole) {
  if (whole <= 0 || part < 0) return {};
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  const int64_t hundredths = std::llround(share * 10'000);
  const auto digits = std::to_string(100 + hundredths % 100);
  return std::to_string(hundredths / 100) + "." + digits.substr(1);
}

/// What kubectl's columns show and no single field holds. Never read back.
void write_columns(JsonWriter& json, const LoadTestStatus& status) {
  const auto mark = json.open("columns");
  if (status.workers.desired > 0) {
    json.text("workers",
              std::to_string(status.workers.ready) + "/" + std::to_string(status.workers.desired));
  }
  if (status.summary) {
    if (status.summary->latency.p95)
      json.text("p95", to_human(Duration(*status.summary->latency.p95)));
    json.text("errors", percent_text(status.summary->failures, status.summary->requests));
  }
  json.close(mark);
}

void write_thresholds(JsonWriter& json, const std::vector<ThresholdStatus>& thresholds) {
  const auto mark = json.open("thresholds", '[');
  for (const ThresholdStatus& threshold : thresholds) {
    json.element();
    json.always_text("expr", threshold.expr);
    json.text("value", threshold.value);
    json.always_text("verdict", to_string(threshold.verdict));
    json.close_keep();
  }
  json.close(mark, ']');
}

void write_artifacts(JsonWriter& json, const std::vector<Artifact>& artifacts) {
  const auto mark = json.open("artifacts", '[');
  for (const Artifact& artifact : artifacts) {
    json.element();
    json.always_text("name", artifact.name);
    json.text("url", artifact.url);
    json.text("sha256", artifact.sha256);
    json.close_keep();
  }
  json.close(mark, ']');
}

void write_history(JsonWriter& json, const std::vector<HistoryEntry>& history) {
  const auto mark = json.open("history", '[');
  for (const HistoryEntry& entry : history) {
    json.element();
    json.always_number("number", entry.number);
    json.text("verdict", to_string(entry.verdict));
    json.always_text("finishedAt", to_rfc3339(entry.finished_at));
    json.close_keep();
  }
  json.close(mark, ']');
}

void write_conditions(JsonWriter& json, const std::vector<Condition>& conditions) {
  const auto mark = json.open("conditions", '[');
  for (const Condition& condition : conditions) {
    json.element();
    json.always_text("type", to_string(condition.type));
    json.always_text("status", to_string(condition.status));
    json.number("observedGeneration", condition.observed_generation);
    json.always_text("lastTransitionTime", to_rfc3339(condition.last_transition_time));
    json.always_text("reason", condition.reason);
    json.always_text("message", condition.message);
    json.close_keep();
  }
  json.close(mark, ']');
}

void write_status(JsonWriter& json, const LoadTestStatus& status) {
  json.number("observedGeneration", status.observed_generation);
  json.always_text("phase", to_string(status.phase));
  json.text("verdict", to_string(status.verdict));
  json.text("reason", status.reason);
  json.text("message", status.message);
  write_run(json, status.run);
  write_workers(json, status.workers);
  if (status.start_skew_microseconds) {
    json.open("start");
    json.always_number("skewMicroseconds", *status.start_skew_microseconds);
    json.close_keep();
  }
  if (status.summary) write_summary(json, *status.summary);
  write_columns(json, status);
  write_thresholds(json, status.thresholds);
  write_artifacts(json, status.artifacts);
  write_history(json, status.history);
  write_conditions(json, status.conditions);
}

size_t size_of(const LoadTestStatus& status) {
  std::string out;
  JsonWriter json(out);
  json.element();
  write_status(json, status);
  return out.size() + 1;
}

void shorten(std::string& text, size_t limit) {
  if (text.size() > limit) text = truncate(text, limit);
}

void shorten_messages(LoadTestStatus& status, size_t limit) {
  shorten(status.message, limit * 2);
  for (Condition& condition : status.conditions) shorten(condition.message, limit);
}

template <class T>
void keep_first(std::vector<T>& items, size_t count) {
  if (items.size() > count) items.resize(count);
}

/// What people miss least goes first: long messages, then addresses and artifacts, then thresholds.
/// What the state machine reads back (run with its tokens, condition types and states) always
/// stays.
LoadTestStatus fitting(LoadTestStatus status) {
  for (const size_t limit : {512U, 256U, 128U}) {
    shorten_messages(status, limit);
    if (size_of(status) < kMaxStatusBytes) return status;
  }
  keep_first(status.workers.addresses, 4);
  for (ThresholdStatus& threshold : status.thresholds) {
    shorten(threshold.expr, 96);
    shorten(threshold.value, 48);
  }
  if (size_of(status) < kMaxStatusBytes) return status;
  shorten_messages(status, 64);
  keep_first(status.artifacts, 4);
  for (size_t count = 32; size_of(status) >= kMaxStatusBytes && count > 0; count /= 2) {
    keep_first(status.thresholds, count);
  }
  if (size_of(status) < kMaxStatusBytes) return status;
  status.artifacts.clear();
  status.thresholds.clear();
  keep_first(status.history, kMaxHistory);
  shorten(status.reason, 64);
  for (Condition& condition : status.conditions) shorten(condition.reason, 64);
  return status;
}

}  // namespace

std::string encode_status(const LoadTestStatus& status) {
  std::string out;
  out.reserve(2048);
  JsonWriter json(out);
  json.element();
  write_status(json, status);
  json.close_keep();
  if (out.size() < kMaxStatusBytes) return out;
  out.clear();
  json.element();
  write_status(json, fitting(status));
  json.close_keep();
  return out;
}

}  // namespace atq::api
