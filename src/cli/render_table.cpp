#include "src/cli/render_table.hpp"

#include <algorithm>
#include <cstdio>

#include "src/base/text.hpp"

namespace atq::cli {
namespace {

constexpr size_t kMaxMessage = 100;
/// Least widths of the columns, so that the lines of a watch stay below each other.
constexpr size_t kNameWidth = 12;
constexpr size_t kPhaseWidth = 11;
constexpr size_t kVerdictWidth = 7;

std::string or_dash(std::string_view text) { return text.empty() ? "-" : std::string(text); }

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return fit(to_printable(text), kMaxMessage);
}

std::vector<std::string> header_row(const TableOptions& options) {
  std::vector<std::string> row;
  if (options.namespaces) {
    row.emplace_back("NAMESPACE");
  }
  row.insert(row.end(), {pad("NAME", kNameWidth), pad("PHASE", kPhaseWidth),
                         pad("VERDICT", kVerdictWidth), "WORKERS", "RPS", "P95", "ERR%", "AGE"});
  if (options.wide) {
    row.insert(row.end(), {"RUN", "TOOL", "REASON", "MESSAGE"});
  }
  return row;
}

std::vector<std::string> item_row(const Item& item, const TableOptions& options) {
  const auto& status = item.test.status;
  const auto& created = item.test.metadata.creation_timestamp;
  const auto& summary = status.summary;
  const int32_t desired =
      status.workers.desired > 0 ? status.workers.desired : item.test.spec.worker.replicas;
  std::vector<std::string> row;
  if (options.namespaces) {
    row.push_back(item.test.metadata.ns);
  }
  row.insert(row.end(), {pad(item.test.metadata.name, kNameWidth),
                         pad(api::to_string(status.phase), kPhaseWidth),
                         paint(pad(or_dash(api::to_string(status.verdict)), kVerdictWidth),
                               colour_of(status.verdict), options.colour),
                         std::to_string(status.workers.ready) + "/" + std::to_string(desired),
                         summary ? or_dash(summary->requests_per_second) : "-",
                         summary ? latency_text(summary->latency.p95) : "-", error_percent(status),
                         created ? to_human(options.now - *created) : "-"});
  if (options.wide) {
    row.insert(row.end(), {std::to_string(status.run.number), item.test.spec.tool,
                           or_dash(status.reason), or_dash(one_line(status.message))});
  }
  return row;
}

}  // namespace

Colour colour_of(api::Verdict verdict) noexcept {
  switch (verdict) {
    case api::Verdict::Passed:
      return Colour::Green;
    case api::Verdict::Failed:
    case api::Verdict::Error:
      return Colour::Red;
    case api::Verdict::NoData:
    case api::Verdict::Aborted:
      return Colour::Yellow;
    case api::Verdict::None:
      return Colour::None;
  }
  return Colour::None;
}

std::string error_percent(const api::LoadTestStatus& status) {
  if (!status.summary || status.summary->requests <= 0) {
    return "-";
  }
  const double percent = 100.0 * static_cast<double>(status.summary->failures) /
                         static_cast<double>(status.summary->requests);
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", percent);
  // A single failure among many requests is not none.
  return status.summary->failures > 0 && percent < 0.05 ? "<0.1" : text;
}

std::string latency_text(const std::optional<int64_t>& microseconds) {
  return microseconds ? to_human(Duration(*microseconds)) : "-";
}

std::string align(const std::vector<std::vector<std::string>>& rows, const std::string& indent) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], display_width(row[column]));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line = indent;
    for (size_t column = 0; column < row.size(); ++column) {
      line += pad(row[column], widths[column]) + "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string render_table(const std::vector<Item>& items, const TableOptions& options) {
  if (items.empty()) {
    return {};
  }
  std::vector<std::vector<std::string>> rows{header_row(options)};
  for (const Item& item : items) {
    rows.push_back(item_row(item, options));
  }
  std::string out = align(rows);
  return options.header ? out : out.substr(out.find('\n') + 1);
}

std::string render_issues(const std::vector<Item>& items, const std::vector<SourceIssue>& issues) {
  std::string out;
  for (const Item& item : items) {
    for (const auto& problem : item.problems) {
      out += "  " + api::to_string(api::key_of(item.test)) + ": " + api::to_string(problem) + "\n";
    }
  }
  if (!out.empty()) {
    out = "\nNot accepted:\n" + out;
  }
  if (!issues.empty()) {
    out += "\nFiles with problems:\n";
  }
  for (const auto& issue : issues) {
    out += "  " + issue.source + ": " + to_printable(issue.message) + "\n";
  }
  return out;
}

}  // namespace atq::cli
