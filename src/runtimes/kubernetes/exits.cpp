#include "src/runtimes/kubernetes/exits.hpp"

#include <algorithm>
#include <csignal>

#include "controller/core/statement.hpp"
#include "src/agent/protocol.hpp"
#include "src/base/text.hpp"

namespace atq::kubernetes {
namespace {

using State = ContainerView::State;

constexpr size_t kLines = 5, kLineBytes = 200, kDiagnosisBytes = 300;

std::string tidy(const std::string& text) { return truncate(to_printable(text), kDiagnosisBytes); }

std::string joined(const std::string& reason, const std::string& message) {
  if (reason.empty() || message.empty()) return reason + message;
  return reason + ": " + message;
}

/// The node's or the scheduler's doing, which the agent cannot know.
std::string outside_reason(const PodView& pod) {
  if (pod.main.reason == "OOMKilled") {
    const std::string limit = pod.memory_limit.empty() ? "" : " (limit " + pod.memory_limit + ")";
    return "out of memory" + limit;
  }
  if (!pod.reason.empty() && pod.reason != "Error") return joined(pod.reason, pod.message);
  return pod.disruption;
}

TimePoint end_time(const PodView& pod) {
  if (pod.main.finished_at) return *pod.main.finished_at;
  if (pod.disrupted_at) return *pod.disrupted_at;
  if (pod.agent.finished_at) return *pod.agent.finished_at;
  return pod.created_at.value_or(TimePoint{});
}

void take_record(const agent::ExitRecord& record, End& end) {
  end.exit.code = record.code;
  end.exit.signal = record.signal;
  end.exit.at = TimePoint(Duration(record.at_us));
  end.exit.ran_for = Duration(record.ran_for_us);
  end.exit.diagnosis = tidy(record.error);
  for (const auto& line : record.last_lines) end.output += line + "\n";
  const size_t skip = record.last_lines.size() - std::min(record.last_lines.size(), kLines);
  for (size_t i = skip; i < record.last_lines.size(); ++i) {
    end.exit.last_lines.push_back(truncate(to_printable(record.last_lines[i]), kLineBytes));
  }
}

End of_container(const PodView& pod) {
  End end;
  const ContainerView& main = pod.main;
  end.message = main.message;
  // The agent exits as its record says; another text is none of its own (a starter's report).
  const auto record = agent::decode_exit_record(main.message);
  if (record && record->code == main.exit_code) {
    take_record(*record, end);
    if (record->at_us == 0) end.exit.at = end_time(pod);
    return end;
  }
  end.exit.code = main.exit_code;
  end.exit.signal = main.signal;
  constexpr int kSignalBase = 128, kMaxSignal = 64;
  const int by_code = main.exit_code - kSignalBase;
  if (end.exit.signal == 0 && by_code > 0 && by_code <= kMaxSignal) end.exit.signal = by_code;
  end.exit.at = end_time(pod);
  if (main.started_at && main.finished_at) end.exit.ran_for = *main.finished_at - *main.started_at;
  const bool usual = main.reason.empty() || main.reason == "Error" || main.reason == "Completed";
  if (main.exit_code != 0 && !usual) end.exit.diagnosis = tidy(joined(main.reason, main.message));
  return end;
}

End without_container(const PodView& pod) {
  End end;
  end.exit.at = end_time(pod);
  const bool ran = pod.main.state == State::Running;
  end.exit.code = ran ? 128 + SIGKILL : agent::kCannotStart;
  end.exit.signal = ran ? SIGKILL : 0;
  if (pod.agent.state == State::Ended && pod.agent.exit_code != 0) {
    end.exit.diagnosis =
        tidy("the agent could not be installed: exit " + std::to_string(pod.agent.exit_code) +
             (pod.agent.message.empty() ? "" : ": " + pod.agent.message));
  }
  return end;
}

bool is_node_lost(const PodView& pod) {
  return pod.deleting && (pod.disruption_reason == "DeletionByTaintManager" ||
                          pod.disruption_reason == "DeletionByPodGC");
}

}  // namespace

std::optional<End> read_end(const PodView& pod) {
  const bool main_ended = pod.main.state == State::Ended;
  const bool lost = is_node_lost(pod);
  if (!main_ended && !pod.ended() && !lost) return std::nullopt;
  End end = main_ended ? of_container(pod) : without_container(pod);
  const std::string outside =
      lost && !main_ended ? "its node went away (" + pod.disruption + ")" : outside_reason(pod);
  if (!outside.empty()) end.exit.diagnosis = tidy(outside);
  return end;
}

core::Exit explain(const End& end, const std::vector<api::Diagnosis>& diagnoses) {
  core::Exit exit = end.exit;
  const bool success = exit.code == 0 && exit.signal == 0;
  if (!success && exit.diagnosis.empty()) exit.diagnosis = core::diagnose(end.output, diagnoses);
  return exit;
}

std::string describe_trouble(const PodView& pod) {
  if (!pod.scheduled && !pod.unschedulable.empty()) return "unschedulable: " + pod.unschedulable;
  const auto trouble = [](const ContainerView& container) -> std::string {
    if (container.state != State::Waiting) return {};
    if (container.reason == "PodInitializing" || container.reason == "ContainerCreating") return {};
    return joined(container.reason, container.message);
  };
  std::string text = trouble(pod.agent);
  if (!text.empty()) return "atq-agent: " + text;
  for (const auto& [name, container] : pod.containers) {
    text = trouble(container);
    if (text.empty()) continue;
    return name == "main" ? text : name + ": " + text;
  }
  return {};
}

}  // namespace atq::kubernetes
