#pragma once
// Requests of people to a run, as values of annotations (docs/loadtest.md). Whoever takes them, the
// director or the command line, checks them here. Pure.

#include <string>

#include "controller/api/types.hpp"
#include "src/base/error.hpp"

namespace atq::core {

/// The value of the stop annotation for the present run: "4/Graceful", "4/Now". A graceful stop
/// does not take a hard one back. Conflict where there is no run to stop.
Result<std::string> stop_request(const api::LoadTest& test, bool now);

}  // namespace atq::core
