#include "controller/core/plan.hpp"

namespace atq::core {

std::string_view to_string(Role role) noexcept {
  return role == Role::Worker ? "worker" : "master";
}

namespace {

struct Namer {
  std::string_view operator()(const BeginRun&) const { return "BeginRun"; }
  std::string_view operator()(const EnsureWorkers&) const { return "EnsureWorkers"; }
  std::string_view operator()(const EnsureChecks&) const { return "EnsureChecks"; }
  std::string_view operator()(const EnsureMaster&) const { return "EnsureMaster"; }
  std::string_view operator()(const Release&) const { return "Release"; }
  std::string_view operator()(const StopChecks&) const { return "StopChecks"; }
  std::string_view operator()(const Stop&) const { return "Stop"; }
  std::string_view operator()(const Collect&) const { return "Collect"; }
  std::string_view operator()(const RemoveRun&) const { return "RemoveRun"; }
  std::string_view operator()(const Finalize&) const { return "Finalize"; }
};

}  // namespace

std::string_view name_of(const Action& action) noexcept { return std::visit(Namer{}, action); }

}  // namespace atq::core
