#pragma once
// Plays one scenario file (README.md has the format) against reconcile().

#include <filesystem>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "controller/core/reconcile.hpp"

namespace atq::scenarios {

inline constexpr TimePoint kBegin = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21};
Duration seconds_of(double seconds);

/// scenario_reader.cpp: YAML to values. All of them throw std::runtime_error with what is wrong.
void read_test(const YAML::Node& node, api::FrozenSpec& frozen);
core::Replica read_replica(const std::string& text, int index, core::Role role, TimePoint now);
void read_run(const YAML::Node& node, core::ObservedRun& run, TimePoint now);
core::ActionFailure read_failure(const YAML::Node& node);
/// The node's keys are all known.
void expect_keys(const YAML::Node& node, std::initializer_list<const char*> keys);

/// "Release 1 master v1"
std::string to_text(const core::Action& action);

class Runner {
 public:
  explicit Runner(const std::filesystem::path& file);
  /// What was not as expected, a line each; empty: the story holds.
  std::vector<std::string> play();

 private:
  void prepare(const YAML::Node& step);
  void edit(const YAML::Node& set);
  void observe(const YAML::Node& observed);
  core::World world() const;
  void compare(const YAML::Node& expect, const core::Plan& plan);
  void compare_kstatus(const core::Plan& plan);
  void compare_status(const YAML::Node& expect, const api::LoadTestStatus& status);
  void compare_numbers(const std::string& key, const YAML::Node& node,
                       const api::LoadTestStatus& status);
  void compare_list(const std::string& what, const YAML::Node& expect,
                    const std::vector<std::string>& found);
  void same(const std::string& what, const std::string& expected, const std::string& found);
  void fail(const std::string& what);

  YAML::Node story_;
  api::LoadTest test_;
  std::shared_ptr<const api::FrozenSpec> resolved_;
  std::map<int64_t, std::shared_ptr<const api::FrozenSpec>> frozen_;
  std::map<int64_t, core::ObservedRun> observed_;
  std::vector<api::Problem> problems_;
  std::optional<core::ActionFailure> failure_;
  core::AdmissionTicket admission_{.granted = true};
  TimePoint now_ = kBegin;
  std::string place_;
  std::vector<std::string> failures_;
};

}  // namespace atq::scenarios
