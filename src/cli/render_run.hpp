#pragma once
// A run on a terminal, in a log, and its report at the end. Pure.

#include <optional>
#include <string>
#include <vector>

#include "controller/api/types.hpp"
#include "src/cli/run_session.hpp"

namespace atq::cli {

struct LiveView {
  TimePoint now{};
  size_t width = 80;
  size_t frame = 0;  ///< of the spinner
  bool colour = false;
  std::string note;  ///< the last line, "" for none: "stopping gracefully …"
};

/// A line for the run and one per phase, none wider than `width`; the same number of lines for the
/// same note, so that it can be redrawn in place.
std::vector<std::string> render_live(const api::LoadTest& test, const LiveView& view);

/// For logs: what is new in `after`, without a time; nullopt where nothing worth a line has
/// changed.
std::optional<std::string> plain_line(const api::LoadTestStatus& before,
                                      const api::LoadTestStatus& after);

/// Verdict, figures, thresholds; where the run did not pass, also why, the last lines of the
/// replicas that failed, and where to read on.
std::string render_report(const RunOutcome& outcome, bool colour);

}  // namespace atq::cli
