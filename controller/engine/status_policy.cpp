#include "controller/engine/status_policy.hpp"

#include <algorithm>

namespace atq::engine {

namespace {

bool same_conditions(const std::vector<api::Condition>& a, const std::vector<api::Condition>& b) {
  return std::ranges::equal(a, b, [](const api::Condition& x, const api::Condition& y) {
    return x.type == y.type && x.status == y.status;
  });
}

}  // namespace

Urgency urgency_of(const api::LoadTestStatus& stored, const api::LoadTestStatus& wanted) {
  if (stored == wanted) {
    return Urgency::None;
  }
  const bool at_once = stored.phase != wanted.phase || stored.verdict != wanted.verdict ||
                       stored.run != wanted.run || stored.history != wanted.history ||
                       stored.observed_generation != wanted.observed_generation ||
                       !same_conditions(stored.conditions, wanted.conditions);
  return at_once ? Urgency::Now : Urgency::Later;
}

bool must_write_first(const api::LoadTestStatus& stored, const api::LoadTestStatus& wanted,
                      const std::vector<core::Action>& actions) {
  const bool new_run = stored.run.number != wanted.run.number;
  const bool judged = stored.verdict != wanted.verdict ||
                      stored.run.collecting_at != wanted.run.collecting_at ||
                      stored.run.finished_at != wanted.run.finished_at;
  const auto releases = [](const core::Action& action) {
    return std::holds_alternative<core::Release>(action);
  };
  return (judged && !(new_run && wanted.verdict == api::Verdict::None)) ||
         (new_run && std::ranges::any_of(actions, releases));
}

}  // namespace atq::engine
