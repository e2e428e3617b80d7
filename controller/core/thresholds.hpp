#pragma once
// The thresholds of a run, judged by the tool's closing statement.

#include "controller/core/pass.hpp"
#include "controller/core/verdict.hpp"

namespace atq::core {

/// Lists every threshold in the status, and lets failing or unjudged ones change a Passed verdict:
/// a tool that proves nothing never passes. `on warn` never changes it.
void judge_thresholds(Pass& pass, Judgement& judgement);

}  // namespace atq::core
