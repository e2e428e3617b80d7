#include <cmath>
#include <sstream>
#include <stdexcept>

#include "tests/scenarios/scenario_runner.hpp"

namespace atq::scenarios {

using core::ReplicaState;

Duration seconds_of(double seconds) {
  return Duration{static_cast<int64_t>(std::llround(seconds * 1e6))};
}

void expect_keys(const YAML::Node& node, std::initializer_list<const char*> keys) {
  for (const auto& entry : node) {
    const auto key = entry.first.as<std::string>();
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      throw std::runtime_error("unknown key " + key);
    }
  }
}

namespace {

template <class T>
void take(const YAML::Node& node, const char* key, T& value) {
  if (node[key]) value = node[key].as<T>();
}

void read_policy(const YAML::Node& node, api::RunPolicy& policy) {
  take(node, "suspend", policy.suspend);
  take(node, "startupDeadline", policy.startup_deadline_seconds);
  take(node, "activeDeadline", policy.active_deadline_seconds);
  take(node, "collectDeadline", policy.collect_deadline_seconds);
  take(node, "grace", policy.stop_grace_seconds);
  take(node, "cleanupAfter", policy.cleanup_after_seconds);
  if (!node["cleanup"]) return;
  const auto cleanup = node["cleanup"].as<std::string>();
  if (cleanup == "Always") {
    policy.cleanup_policy = api::CleanupPolicy::Always;
  } else if (cleanup == "OnSuccess") {
    policy.cleanup_policy = api::CleanupPolicy::OnSuccess;
  } else if (cleanup == "Never") {
    policy.cleanup_policy = api::CleanupPolicy::Never;
  } else {
    throw std::runtime_error("unknown cleanup " + cleanup);
  }
}

ReplicaState state_of(const std::string& word) {
  if (word == "absent") return ReplicaState::Absent;
  if (word == "inert") return ReplicaState::Inert;
  if (word == "starting") return ReplicaState::Starting;
  if (word == "running" || word == "ready") return ReplicaState::Running;
  if (word == "exited" || word == "killed") return ReplicaState::Exited;
  throw std::runtime_error("unknown state of a replica: " + word);
}

core::Exit read_exit(const std::string& word, std::istringstream& words, TimePoint now) {
  core::Exit exit;
  exit.at = now;
  int number = 0;
  std::string after;
  double seconds = 0;
  if (!(words >> number)) throw std::runtime_error(word + " without a number");
  if (words >> after && (after != "after" || !(words >> seconds))) {
    throw std::runtime_error("expected \"after SECONDS\", found " + after);
  }
  exit.ran_for = seconds_of(seconds);
  exit.code = word == "killed" ? 128 + number : number;
  exit.signal = word == "killed" ? number : 0;
  return exit;
}

core::CheckResult read_check(const YAML::Node& node) {
  core::CheckResult check;
  check.name = node[0].as<std::string>();
  check.worker = node[1].as<int>();
  const auto state = node[2].as<std::string>();
  check.passed = state == "passed";
  if (!check.passed) check.last_error = state;
  check.tries = node.size() > 3 ? node[3].as<int>() : 1;
  return check;
}

}  // namespace

void read_test(const YAML::Node& node, api::FrozenSpec& frozen) {
  expect_keys(node, {"replicas", "master", "checks", "delay", "onFailure", "workersExitAlone",
                     "masterEndsWithin", "pattern", "failedExitCodes", "failuresFail", "thresholds",
                     "nonce", "suspend", "startupDeadline", "activeDeadline", "collectDeadline",
                     "grace", "cleanup", "cleanupAfter"});
  api::LoadTestSpec& spec = frozen.spec;
  take(node, "replicas", spec.worker.replicas);
  if (node["master"]) {
    spec.master = node["master"].as<bool>() ? std::optional(api::RoleSpec{}) : std::nullopt;
  }
  if (node["checks"]) spec.health_check.checks.clear();
  for (const auto& name : node["checks"]) {
    api::HealthCheckItem item;
    item.name = name.as<std::string>();
    item.check = api::TcpCheck{1099};
    spec.health_check.checks.push_back(std::move(item));
  }
  take(node, "delay", spec.health_check.delay_seconds);
  if (node["onFailure"]) {
    const bool ignore = node["onFailure"].as<std::string>() == "Ignore";
    spec.worker.on_failure = ignore ? api::OnFailure::Ignore : api::OnFailure::Fail;
  }
  take(node, "workersExitAlone", frozen.workers_exit_alone);
  take(node, "masterEndsWithin", frozen.master_ends_within_seconds);
  if (node["pattern"]) frozen.closing.pattern = node["pattern"].as<bool>() ? "summary" : "";
  take(node, "failedExitCodes", frozen.closing.failed_exit_codes);
  take(node, "failuresFail", frozen.closing.failures_fail);
  take(node, "thresholds", spec.thresholds);
  take(node, "nonce", spec.run_nonce);
  read_policy(node, spec.run_policy);
}

core::Replica read_replica(const std::string& text, int index, core::Role role, TimePoint now) {
  core::Replica replica;
  replica.index = index;
  replica.address =
      (role == core::Role::Worker ? "127.0.0." : "127.0.1.") + std::to_string(index + 1);
  const size_t colon = text.find(": ");
  const std::string note = colon == std::string::npos ? "" : text.substr(colon + 2);
  std::istringstream words(text.substr(0, colon));
  std::string word;
  words >> word;
  if (word == "unaddressed") {
    replica.address.clear();
    words >> word;
  }
  replica.state = state_of(word);
  replica.ready = word == "ready";
  if (replica.state == ReplicaState::Exited) {
    replica.exit = read_exit(word, words, now);
    if (!note.empty()) replica.exit->last_lines = {note};
  } else {
    replica.not_ready_because = note;
  }
  return replica;
}

void read_run(const YAML::Node& node, core::ObservedRun& run, TimePoint now) {
  expect_keys(node, {"network", "workers", "master", "checks", "checksExist", "statement",
                     "collected", "problem", "version"});
  take(node, "network", run.network_ready);
  if (node["workers"]) {
    std::vector<core::Replica> workers;
    for (const auto& text : node["workers"]) {
      const auto place = workers.size();
      auto worker =
          read_replica(text.as<std::string>(), static_cast<int>(place), core::Role::Worker, now);
      // Who has ended before keeps the time of its end.
      const bool known = place < run.workers.size() && run.workers[place].exit && worker.exit;
      if (known) worker.exit->at = run.workers[place].exit->at;
      workers.push_back(std::move(worker));
    }
    run.workers = std::move(workers);
  }
  if (node["master"]) {
    auto master = read_replica(node["master"].as<std::string>(), 0, core::Role::Master, now);
    run.master = master.state == ReplicaState::Absent ? std::nullopt : std::optional(master);
  }
  if (node["checks"]) run.checks.clear();
  for (const auto& check : node["checks"]) run.checks.push_back(read_check(check));
  take(node, "checksExist", run.checks_exist);
  if (const auto& statement = node["statement"]) {
    run.statement = core::Statement{.requests = statement[0].as<int64_t>(),
                                    .failures = statement[1].as<int64_t>(),
                                    .requests_per_second = statement[2].as<std::string>()};
  }
  take(node, "collected", run.results_collected);
  take(node, "problem", run.problem);
  take(node, "version", run.version);
}

core::ActionFailure read_failure(const YAML::Node& node) {
  expect_keys(node, {"action", "kind", "message", "run", "attempts"});
  core::ActionFailure failure;
  failure.action = node["action"].as<std::string>();
  failure.run = node["run"] ? node["run"].as<int64_t>() : 1;
  failure.error.message = node["message"].as<std::string>();
  take(node, "attempts", failure.attempts);
  const auto kind = node["kind"].as<std::string>();
  for (const ErrorKind known : {ErrorKind::NotFound, ErrorKind::Conflict, ErrorKind::Forbidden,
                                ErrorKind::Invalid, ErrorKind::Timeout, ErrorKind::Unavailable}) {
    if (to_string(known) == kind) {
      failure.error.kind = known;
      return failure;
    }
  }
  throw std::runtime_error("unknown kind of error " + kind);
}

}  // namespace atq::scenarios
