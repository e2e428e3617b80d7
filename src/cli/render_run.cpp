#include "src/cli/render_run.hpp"

#include <algorithm>
#include <array>

#include "src/base/text.hpp"
#include "src/cli/render_table.hpp"

namespace atq::cli {
namespace {

constexpr std::array<std::string_view, 10> kSpinner = {"⠋", "⠙", "⠹", "⠸", "⠼",
                                                       "⠴", "⠦", "⠧", "⠇", "⠏"};
constexpr size_t kNameWidth = 13;
constexpr size_t kTimeWidth = 8;

using When = std::optional<TimePoint>;

/// A phase with the time it began.
struct Step {
  api::Phase phase;
  When began;
};

When true_since(const api::LoadTestStatus& status, api::ConditionType type) {
  const auto* const condition = api::find_condition(status, type);
  if (condition == nullptr || condition->status != api::ConditionStatus::True) {
    return std::nullopt;
  }
  return condition->last_transition_time;
}

std::array<Step, 5> steps_of(const api::LoadTestStatus& status) {
  const auto& run = status.run;
  const When discovered =
      run.started_at ? true_since(status, api::ConditionType::Discovered) : std::nullopt;
  return {Step{api::Phase::Discovery, run.started_at}, Step{api::Phase::Workers, discovered},
          Step{api::Phase::HealthCheck, run.workers_ready_at},
          Step{api::Phase::Master, run.master_started_at},
          Step{api::Phase::Collecting, run.collecting_at}};
}

enum class State { Ahead, Present, Done, Failed };

struct Progress {
  State state = State::Ahead;
  std::optional<Duration> took;
};

Progress progress_of(const std::array<Step, 5>& steps, size_t index,
                     const api::LoadTestStatus& status, TimePoint now) {
  const When began = steps[index].began;
  if (!began) {
    return {};
  }
  When ended = status.run.finished_at;
  for (size_t later = steps.size() - 1; later > index; --later) {
    ended = steps[later].began ? steps[later].began : ended;
  }
  const bool before_collecting =
      steps[index].phase != api::Phase::Collecting &&
      std::none_of(steps.begin() + static_cast<long>(index) + 1, steps.end() - 1,
                   [](const Step& step) { return !!step.began; });
  const bool went_wrong =
      status.verdict != api::Verdict::None && status.verdict != api::Verdict::Passed;
  const State state = !ended                            ? State::Present
                      : went_wrong && before_collecting ? State::Failed
                                                        : State::Done;
  const Duration took = ended.value_or(now) - *began;
  return {state, std::max(took, Duration::zero())};
}

std::string first_line(const std::string& text) {
  return to_printable(text.substr(0, text.find('\n')));
}

/// What the present phase waits for.
std::string detail(api::Phase phase, const api::LoadTestStatus& status) {
  const auto& workers = status.workers;
  std::string out;
  if (phase == api::Phase::Workers || phase == api::Phase::Discovery) {
    const int32_t have = phase == api::Phase::Workers ? workers.ready : workers.discovered;
    out = std::to_string(have) + "/" + std::to_string(workers.desired) +
          (phase == api::Phase::Workers ? " ready" : " discovered");
  } else if (phase == api::Phase::Master && status.summary) {
    out = std::to_string(status.summary->requests) + " requests, " +
          status.summary->requests_per_second + "/s, " + error_percent(status) + " % failed";
  }
  const std::string message = first_line(status.message);
  if (!message.empty()) {
    out += (out.empty() ? "" : ": ") + message;
  }
  return out;
}

std::string step_line(const Step& step, const Progress& progress, const api::LoadTestStatus& status,
                      const LiveView& view) {
  std::string_view mark = "·";
  Colour colour = Colour::Dim;
  switch (progress.state) {
    case State::Ahead:
      break;
    case State::Present:
      mark = kSpinner[view.frame % kSpinner.size()];
      colour = Colour::Bold;
      break;
    case State::Done:
      mark = "✔";
      colour = Colour::Green;
      break;
    case State::Failed:
      mark = "✘";
      colour = colour_of(status.verdict);
      break;
  }
  std::string text = pad(api::to_string(step.phase), kNameWidth) +
                     pad(progress.took ? to_human(*progress.took) : "", kTimeWidth);
  if (progress.state == State::Present || progress.state == State::Failed) {
    text += detail(step.phase, status);
  }
  const size_t room = view.width > 4 ? view.width - 4 : 0;
  text = fit(text, room);
  text.erase(text.find_last_not_of(' ') + 1);
  return "  " + paint(mark, colour, view.colour) + " " +
         (progress.state == State::Ahead ? paint(text, Colour::Dim, view.colour) : text);
}

std::string title(const api::LoadTest& test) {
  const auto& status = test.status;
  std::string out = test.metadata.name + "  " + test.spec.tool + ", " +
                    std::to_string(test.spec.worker.replicas) +
                    (test.spec.worker.replicas == 1 ? " worker" : " workers");
  if (!status.run.started_at && status.verdict == api::Verdict::None) {
    out += "  " + std::string(api::to_string(status.phase));
    const std::string message = first_line(status.message);
    out += message.empty() ? "" : ": " + message;
  }
  return out;
}

std::string figures(const api::LoadTestStatus& status) {
  if (!status.summary) {
    return {};
  }
  const auto& summary = *status.summary;
  std::string out = ": " + std::to_string(summary.requests) + " requests, " +
                    std::to_string(summary.failures) + " failed (" + error_percent(status) + " %)";
  if (!summary.requests_per_second.empty()) {
    out += ", " + summary.requests_per_second + "/s";
  }
  if (summary.latency.p95) {
    out += ", p95 " + latency_text(summary.latency.p95);
  }
  return out;
}

std::string replica_report(const FailedReplica& replica) {
  std::string out = "\n" + std::string(core::to_string(replica.role));
  if (replica.role == core::Role::Worker) {
    out += " " + std::to_string(replica.index);
  }
  out += " " + replica.how +
         (replica.last_lines.empty() ? ", without output\n" : "; its last lines:\n");
  for (const std::string& line : replica.last_lines) {
    out += "  | " + to_printable(line) + "\n";
  }
  return out;
}

}  // namespace

std::vector<std::string> render_live(const api::LoadTest& test, const LiveView& view) {
  const auto steps = steps_of(test.status);
  std::vector<std::string> lines{paint(fit(title(test), view.width), Colour::Bold, view.colour)};
  for (size_t index = 0; index < steps.size(); ++index) {
    const Progress progress = progress_of(steps, index, test.status, view.now);
    lines.push_back(step_line(steps[index], progress, test.status, view));
  }
  if (!view.note.empty()) {
    lines.push_back(paint(fit(view.note, view.width), Colour::Yellow, view.colour));
  }
  return lines;
}

std::optional<std::string> plain_line(const api::LoadTestStatus& before,
                                      const api::LoadTestStatus& after) {
  const bool counts = before.workers.ready == after.workers.ready &&
                      before.workers.discovered == after.workers.discovered;
  if (before.phase == after.phase && before.verdict == after.verdict && counts &&
      before.message == after.message) {
    return std::nullopt;
  }
  std::string line(api::to_string(after.phase));
  if (after.verdict != api::Verdict::None) {
    line += " " + std::string(api::to_string(after.verdict));
  }
  const std::string more = detail(after.phase, after);
  return line + (more.empty() ? "" : ": " + more);
}

std::string render_report(const RunOutcome& outcome, bool colour) {
  const auto& status = outcome.test.status;
  std::string out = paint(api::to_string(status.verdict), colour_of(status.verdict), colour);
  if (status.run.started_at && status.run.finished_at) {
    out += " in " + to_human(*status.run.finished_at - *status.run.started_at);
  }
  out += figures(status) + "\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& threshold : status.thresholds) {
    rows.push_back({threshold.expr, threshold.value.empty() ? "-" : threshold.value,
                    std::string(api::to_string(threshold.verdict))});
  }
  out += align(rows, "  ");
  if (status.verdict != api::Verdict::Passed) {
    out += status.reason + ": " + to_printable(status.message) + "\n";
    for (const auto& replica : outcome.failed) {
      out += replica_report(replica);
    }
  }
  if (!outcome.folder.empty()) {
    out += "Logs and results: " + outcome.folder.string() + "\n";
  }
  return out;
}

}  // namespace atq::cli
