#pragma once
// When a status is written: what people and programs wait for at once, the rest at most every
// second.

#include "controller/api/types.hpp"
#include "controller/core/plan.hpp"

namespace atq::engine {

inline constexpr Duration kCoalesce = std::chrono::seconds(1);

enum class Urgency {
  None,   ///< nothing has changed
  Later,  ///< counts and messages
  Now,    ///< phase, verdict, a milestone, a condition's status
};
Urgency urgency_of(const api::LoadTestStatus& stored, const api::LoadTestStatus& wanted);

/// True where `wanted` must be durable before `actions` are carried out or the pass goes on: a
/// verdict before anything it ends or removes, the run's number before its release.
bool must_write_first(const api::LoadTestStatus& stored, const api::LoadTestStatus& wanted,
                      const std::vector<core::Action>& actions);

}  // namespace atq::engine
