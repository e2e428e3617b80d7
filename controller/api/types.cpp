#include "controller/api/types.hpp"

#include <array>

namespace atq::api {

std::string to_string(const Key& key) { return key.ns + "/" + key.name; }

std::string_view to_string(Phase phase) noexcept {
  switch (phase) {
    case Phase::Pending:
      return "Pending";
    case Phase::Queued:
      return "Queued";
    case Phase::Suspended:
      return "Suspended";
    case Phase::Discovery:
      return "Discovery";
    case Phase::Workers:
      return "Workers";
    case Phase::HealthCheck:
      return "HealthCheck";
    case Phase::Master:
      return "Master";
    case Phase::Collecting:
      return "Collecting";
    case Phase::Finished:
      return "Finished";
  }
  return "";
}

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::None:
      return "";
    case Verdict::Passed:
      return "Passed";
    case Verdict::Failed:
      return "Failed";
    case Verdict::NoData:
      return "NoData";
    case Verdict::Error:
      return "Error";
    case Verdict::Aborted:
      return "Aborted";
  }
  return "";
}

std::string_view to_string(ConditionType type) noexcept {
  static constexpr std::array<std::string_view, kConditionCount> kNames = {
      "Accepted",      "Admitted",         "Discovered",    "WorkersReady", "HealthChecked",
      "MasterStarted", "ResultsCollected", "ThresholdsMet", "UpToDate",     "Finished",
      "Ready",         "Reconciling",      "Stalled"};
  const auto index = static_cast<size_t>(type);
  return index < kNames.size() ? kNames[index] : std::string_view{};
}

std::string_view to_string(ConditionStatus status) noexcept {
  switch (status) {
    case ConditionStatus::True:
      return "True";
    case ConditionStatus::False:
      return "False";
    case ConditionStatus::Unknown:
      return "Unknown";
  }
  return "";
}

std::string_view to_string(ThresholdVerdict verdict) noexcept {
  switch (verdict) {
    case ThresholdVerdict::NoData:
      return "NoData";
    case ThresholdVerdict::Pass:
      return "Pass";
    case ThresholdVerdict::Warn:
      return "Warn";
    case ThresholdVerdict::Fail:
      return "Fail";
  }
  return "";
}

const Condition* find_condition(const LoadTestStatus& status, ConditionType type) noexcept {
  for (const Condition& condition : status.conditions) {
    if (condition.type == type) return &condition;
  }
  return nullptr;
}

int exit_code(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::Passed:
      return 0;
    case Verdict::Failed:
      return 99;
    case Verdict::NoData:
      return 98;
    case Verdict::Aborted:
      return 105;
    case Verdict::Error:
    case Verdict::None:
      return 97;
  }
  return 97;
}

}  // namespace atq::api
