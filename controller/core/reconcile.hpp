#pragma once
// The state machine: discovery -> workers -> healthcheck -> master -> collecting -> finished. A
// pure, total function; a file per policy beside it. docs/state-machine.md has the table of states.

#include "controller/core/plan.hpp"
#include "controller/core/world.hpp"

namespace atq::core {

/// Same world and time, same plan, byte for byte.
Plan reconcile(const World& world, TimePoint now) noexcept;

}  // namespace atq::core
