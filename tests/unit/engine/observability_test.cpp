// Metrics, events and the log's lines.
#include <fstream>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "controller/engine/event_log.hpp"
#include "controller/engine/log.hpp"
#include "controller/engine/metrics.hpp"

namespace atq::engine {
namespace {

using std::chrono::seconds;

/// One line per name: type and the label names of its series, without values.
std::string shape_of(const std::string& text) {
  std::map<std::string, std::string> types;
  std::map<std::string, std::set<std::string>> labels;
  std::istringstream lines(text);
  static const std::regex type_line("# TYPE (\\S+) (\\S+)");
  static const std::regex series("([a-zA-Z_:]+?)(?:_bucket|_sum|_count)?(?:\\{(.*)\\})? \\S+");
  static const std::regex label("([a-zA-Z_]+)=\"(?:[^\"\\\\]|\\\\.)*\"");
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, type_line)) {
      types[match[1]] = match[2];
    } else if (!line.starts_with('#') && std::regex_match(line, match, series)) {
      const std::string inside = match[2];
      std::string names;
      for (auto it = std::sregex_iterator(inside.begin(), inside.end(), label);
           it != std::sregex_iterator(); ++it) {
        if ((*it)[1] != "le") {
          names += (names.empty() ? "" : ",") + (*it)[1].str();
        }
      }
      labels[match[1]].insert(names);
    }
  }
  std::string shape;
  for (const auto& [name, type] : types) {
    shape += name + " " + type;
    for (const std::string& names : labels[name]) {
      shape += " {" + names + "}";
    }
    shape += "\n";
  }
  return shape;
}

/// All that can be counted, once.
void use_all(Metrics& metrics) {
  metrics.action_done("EnsureWorkers", false);
  metrics.api_requested(0, "POST", "10.0.0.1:6443");
  metrics.on_scrape([] {
    Metrics::Gauges gauges;
    gauges.cache_objects = 3;
    gauges.runs["process"] = {1, 2};
    return gauges;
  });
}

TEST(Metrics, NamesLabelsAndTypesAreTheGoldenFiles) {
  Metrics metrics;
  use_all(metrics);
  std::ifstream file(ATQ_SOURCE_DIR "/tests/data/metrics.golden");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(shape_of(metrics.render()), golden.str());
}

TEST(Metrics, CountWhatHappens) {
  Metrics metrics;
  metrics.added(Priority::Normal);
  metrics.depth(Priority::Low, 7);
  metrics.reconciled(ReconcileResult::Error, seconds(1));
  metrics.run_finished(api::Verdict::Passed);
  metrics.set_leader(true);
  use_all(metrics);
  const std::string text = metrics.render();
  for (const char* line :
       {R"(controller_runtime_reconcile_total{controller="loadtest",result="error"} 1)",
        R"(controller_runtime_reconcile_total{controller="loadtest",result="requeue_after"} 0)",
        R"(controller_runtime_reconcile_errors_total{controller="loadtest"} 1)",
        R"(workqueue_adds_total{controller="loadtest",name="loadtest"} 1)",
        R"(rest_client_requests_total{code="<error>",host="10.0.0.1:6443",method="POST"} 1)",
        R"(workqueue_depth{controller="loadtest",name="loadtest",priority="-100"} 7)",
        R"(leader_election_master_status{name="atq-director"} 1)",
        R"(loadtest_runs_finished_total{verdict="Passed"} 1)",
        R"(loadtest_runs_finished_total{verdict="Error"} 0)",
        R"(loadtest_runs_queued{runtime="process"} 2)", R"(loadtest_cache_objects 3)",
        R"(controller_runtime_reconcile_time_seconds_bucket{controller="loadtest",le="60"} 1)"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST(Metrics, ProcessIsThisOne) {
  const std::string text = Metrics().render();
  const auto value = [&](const std::string& name) {
    const size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1.0 : std::stod(text.substr(at + name.size() + 2));
  };
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_LT(value("process_resident_memory_bytes"), 4e9);
  EXPECT_GE(value("process_open_fds"), 3);
  EXPECT_GT(value("process_max_fds"), 0);
  EXPECT_GE(value("process_cpu_seconds_total"), 0);
  EXPECT_GT(value("process_start_time_seconds"), 1.6e9);
}

core::Event event(const std::string& reason, const std::string& message) {
  return {.warning = false, .reason = reason, .message = message};
}

TEST(EventLog, CountsRepeatsAndKeepsTheLastOfEach) {
  setup_log(LogFormat::Text, LogLevel::Off);
  EventLog log;
  const TimePoint start{seconds(100)};
  log.emit("default/a", "u", event("Begun", "run 1"), start);
  log.emit("default/b", "v", event("Begun", "run 1"), start);
  log.emit("default/a", "u", event("Begun", "run 1"), start + seconds(5));
  const auto own = log.events("u");
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(own[0].count, 2);
  EXPECT_EQ(own[0].first_at, start);
  EXPECT_EQ(own[0].last_at, start + seconds(5));
  for (size_t i = 0; i < 30; ++i) {
    log.emit("default/a", "u", event("Step", std::to_string(i)), start);
  }
  EXPECT_EQ(log.events("u").size(), EventLog::kKeptOfOne);
  EXPECT_EQ(log.events("u").back().message, "29");
  EXPECT_EQ(log.events("v").size(), 1U) << "a noisy object does not push the others out";
}

TEST(EventLog, IsBounded) {
  EventLog log;
  for (size_t i = 0; i < 3000; ++i) {
    log.emit("x", "u" + std::to_string(i), event("Begun", std::string(5000, 'x') + "\x01"),
             TimePoint{});
  }
  const auto all = log.events("");
  EXPECT_EQ(all.size(), EventLog::kKept);
  EXPECT_LE(all.front().message.size(), EventLog::kMaxMessage);
}

std::string logged(LogFormat format, LogLevel level) {
  ::testing::internal::CaptureStderr();
  setup_log(format, level);
  log(LogLevel::Debug, "not seen");
  log(LogLevel::Warn, "worker \"1\" lost\n\x01",
      {{"key", "default/a"}, {"run", ""}, {"error", "no such file"}});
  std::string text = ::testing::internal::GetCapturedStderr();
  setup_log(LogFormat::Text, LogLevel::Off);
  return text;
}

TEST(Log, TextLine) {
  const std::string line = logged(LogFormat::Text, LogLevel::Info);
  EXPECT_TRUE(std::regex_search(
      line, std::regex("^\\S+Z warning worker \"1\" lost\n\\S+ key=default/a error=\"no such "
                       "file\"\n$")))
      << line;
}

TEST(Log, JsonLineIsOneLine) {
  const std::string line = logged(LogFormat::Json, LogLevel::Info);
  EXPECT_TRUE(line.starts_with("{\"time\":\"")) << line;
  EXPECT_NE(line.find(R"("level":"warning","msg":"worker \"1\" lost\n)"), std::string::npos)
      << line;
  EXPECT_TRUE(line.ends_with("\",\"key\":\"default/a\",\"error\":\"no such file\"}\n")) << line;
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
}

TEST(Log, LevelsHaveNames) {
  EXPECT_EQ(parse_log_level("debug"), LogLevel::Debug);
  EXPECT_EQ(parse_log_level("loud").error().kind, ErrorKind::Invalid);
}

}  // namespace
}  // namespace atq::engine
