#include "src/cli/render_describe.hpp"

#include "src/base/text.hpp"

namespace atq::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string ago(const std::optional<TimePoint>& time, TimePoint now) {
  return time ? to_rfc3339(*time) + " (" + to_human(now - *time) + " ago)" : "-";
}

std::string spec_section(const api::LoadTest& test, TimePoint now) {
  const auto& spec = test.spec;
  Rows rows{{"Name:", test.metadata.name}, {"Namespace:", test.metadata.ns},
            {"UID:", test.metadata.uid},   {"Created:", ago(test.metadata.creation_timestamp, now)},
            {"Tool:", spec.tool},          {"Workers:", std::to_string(spec.worker.replicas)}};
  if (!spec.runtime.empty()) {
    rows.push_back({"Runtime:", spec.runtime});
  }
  if (!spec.worker.role.image.empty()) {
    rows.push_back({"Image:", spec.worker.role.image});
  }
  for (const auto& [name, value] : spec.parameters) {
    rows.push_back({rows.back()[0] == "Parameters:" ? "" : "Parameters:", name + "=" + value});
  }
  if (spec.run_policy.suspend) {
    rows.push_back({"Suspended:", "yes (runPolicy.suspend)"});
  }
  return align(rows);
}

std::string status_section(const api::LoadTestStatus& status, TimePoint now, bool colour) {
  const std::string verdict(api::to_string(status.verdict));
  Rows rows{{"Phase:", std::string(api::to_string(status.phase))},
            {"Verdict:", verdict.empty() ? "-" : paint(verdict, colour_of(status.verdict), colour)},
            {"Reason:", status.reason.empty() ? "-" : status.reason}};
  const char* title = "Message:";
  for (const std::string& line : split(status.message, '\n')) {
    rows.push_back({title, to_printable(line)});
    title = "";
  }
  if (status.run.number > 0) {
    rows.push_back({"Run:", std::to_string(status.run.number)});
    rows.push_back({"Started:", ago(status.run.started_at, now)});
    rows.push_back({"Finished:", ago(status.run.finished_at, now)});
  }
  if (const auto& summary = status.summary) {
    rows.push_back({"Requests:", std::to_string(summary->requests) + ", " +
                                     std::to_string(summary->failures) + " failed (" +
                                     error_percent(status) + " %)"});
    rows.push_back(
        {"Rate:", (summary->requests_per_second.empty() ? "-" : summary->requests_per_second) +
                      " requests/s"});
    rows.push_back({"Latency:", "p50 " + latency_text(summary->latency.p50) + ", p95 " +
                                    latency_text(summary->latency.p95) + ", p99 " +
                                    latency_text(summary->latency.p99) + ", max " +
                                    latency_text(summary->latency.max)});
  }
  return "\nStatus:\n" + align(rows, "  ");
}

std::string conditions_section(const api::LoadTestStatus& status, TimePoint now) {
  if (status.conditions.empty()) {
    return {};
  }
  Rows rows{{"TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"}};
  for (const auto& condition : status.conditions) {
    rows.push_back({std::string(api::to_string(condition.type)),
                    std::string(api::to_string(condition.status)),
                    to_human(now - condition.last_transition_time), condition.reason,
                    fit(to_printable(split(condition.message + "\n", '\n').front()), 100)});
  }
  return "\nConditions:\n" + align(rows, "  ");
}

std::string workers_section(const api::LoadTestStatus& status) {
  const auto& workers = status.workers;
  if (workers.desired == 0) {
    return {};
  }
  Rows rows{{"Desired:", std::to_string(workers.desired)},
            {"Discovered:", std::to_string(workers.discovered)},
            {"Ready:", std::to_string(workers.ready)},
            {"Lost:", std::to_string(workers.lost)}};
  if (!workers.addresses.empty()) {
    rows.push_back({"Addresses:", join(workers.addresses, ", ")});
  }
  return "\nWorkers:\n" + align(rows, "  ");
}

std::string thresholds_section(const api::LoadTest& test) {
  Rows rows{{"EXPRESSION", "VALUE", "VERDICT"}};
  for (const auto& threshold : test.status.thresholds) {
    rows.push_back({threshold.expr, threshold.value.empty() ? "-" : threshold.value,
                    std::string(api::to_string(threshold.verdict))});
  }
  if (rows.size() == 1) {
    for (const auto& expr : test.spec.thresholds) {
      rows.push_back({expr, "-", "-"});
    }
  }
  return rows.size() == 1 ? "" : "\nThresholds:\n" + align(rows, "  ");
}

std::string history_section(const api::LoadTestStatus& status) {
  if (status.history.empty()) {
    return {};
  }
  Rows rows{{"RUN", "VERDICT", "FINISHED"}};
  for (const auto& entry : status.history) {
    rows.push_back({std::to_string(entry.number), std::string(api::to_string(entry.verdict)),
                    to_rfc3339(entry.finished_at)});
  }
  return "\nHistory:\n" + align(rows, "  ");
}

std::string events_section(const std::vector<EventLine>& events) {
  if (events.empty()) {
    return "\nEvents: none\n";
  }
  Rows rows{{"TYPE", "REASON", "COUNT", "LAST SEEN", "MESSAGE"}};
  for (const auto& event : events) {
    rows.push_back({event.warning ? "Warning" : "Normal", event.reason, std::to_string(event.count),
                    event.last_at, to_printable(split(event.message + "\n", '\n').front())});
  }
  return "\nEvents:\n" + align(rows, "  ");
}

}  // namespace

std::string render_describe(const Item& item, const std::vector<EventLine>& events, TimePoint now,
                            bool colour) {
  std::string out = spec_section(item.test, now) + status_section(item.test.status, now, colour);
  if (!item.problems.empty()) {
    out += "\nNot accepted:\n";
    for (const auto& problem : item.problems) {
      out += "  " + api::to_string(problem) + "\n";
    }
  }
  return out + conditions_section(item.test.status, now) + workers_section(item.test.status) +
         thresholds_section(item.test) + history_section(item.test.status) + events_section(events);
}

}  // namespace atq::cli
