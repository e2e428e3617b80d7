#pragma once
// Objects for the tests of this folder.

#include "controller/api/types.hpp"

namespace atq::api::samples {

/// Every field differs from its default.
LoadTest full();
/// A status as a run in its middle has it.
LoadTestStatus status();

}  // namespace atq::api::samples
