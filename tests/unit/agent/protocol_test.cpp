#include "src/agent/protocol.hpp"

#include <gtest/gtest.h>

namespace atq::agent {
namespace {

ReplicaSpec full_spec() {
  return {
      .command = {"locust", "-f", "$(ATQ_DATA)/plan.py", ""},
      .environment = {{"PATH", "/usr/bin"}, {"EMPTY", ""}, {"UTF8", "späßig \"quoted\"\n"}},
      .working_dir = "/tmp/x",
      .address = "127.77.0.4",
      .tty = true,
      .wait_for_release = true,
      .die_with_parent = true,
      .readiness = {.tcp_port = 1099, .http_port = 80, .http_path = "/h", .log_pattern = "a.*b"},
      .stop = {.udp_port = 4445, .graceful = "Shutdown", .now = "StopTestNow"},
      .grace_ms = 1,
      .max_log_bytes = int64_t{1} << 35};
}

std::string message_of(std::string_view json) {
  const auto decoded = decode_replica_spec(json);
  if (decoded) return "accepted";
  EXPECT_EQ(decoded.error().kind, ErrorKind::Invalid);
  return decoded.error().message;
}

TEST(AgentProtocol, ReplicaSpecSurvivesTheRoundTrip) {
  EXPECT_EQ(decode_replica_spec(encode(full_spec())), full_spec());
}

TEST(AgentProtocol, StartedSurvivesTheRoundTrip) {
  const Started started{.pid = 77, .start_ticks = UINT64_MAX, .boot_id = "b", .at_us = -5};
  EXPECT_EQ(decode_started(encode(started)), started);
}

TEST(AgentProtocol, ExitRecordSurvivesTheRoundTrip) {
  const ExitRecord record{.code = 137,
                          .signal = 9,
                          .error = "e",
                          .at_us = 1,
                          .ran_for_us = 2,
                          .user_us = 3,
                          .system_us = 4,
                          .max_rss_kib = 5,
                          .last_lines = {"one", "two"}};
  EXPECT_EQ(decode_exit_record(encode(record)), record);
}

TEST(AgentProtocol, CheckReportSurvivesTheRoundTripOnOneLine) {
  const CheckReport report{
      .name = "rmi", .worker = 3, .passed = true, .tries = 9, .error = "a\nb", .at_us = 8};
  EXPECT_EQ(encode(report).find('\n'), std::string::npos);
  EXPECT_EQ(decode_check_report(encode(report)), report);
}

TEST(AgentProtocol, ProbeTargetsSurviveTheRoundTrip) {
  const std::vector<ProbeTarget> targets{
      {.name = "a", .worker = 1, .kind = "udp", .host = "127.0.0.1", .port = 9, .send = "ping"},
      {.name = "b", .kind = "http", .host = "h", .port = 80, .path = "/", .status = 204},
      {.name = "c",
       .kind = "exec",
       .expect = "ok",
       .command = {"sh", "-c", "exit 3"},
       .environment = {{"A", "b"}},
       .exit_code = 3,
       .timeout_ms = 20'000,
       .period_ms = 5,
       .success_threshold = 2}};
  EXPECT_EQ(decode_probe_targets(encode(targets)), targets);
  EXPECT_EQ(decode_probe_targets("[]"), std::vector<ProbeTarget>{});
}

TEST(AgentProtocol, AbsentFieldsTakeTheirDefaultsAndUnknownOnesAreLeftAlone) {
  EXPECT_EQ(decode_replica_spec(R"({"command":["a"],"ofTheFuture":{"x":1}})"),
            ReplicaSpec{.command = {"a"}});
}

TEST(AgentProtocol, IllFormedUtf8IsReplacedAndNeverThrows) {
  const auto decoded = decode_exit_record(encode(ExitRecord{.last_lines = {"a\xff"}}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->last_lines, std::vector<std::string>{"a\xEF\xBF\xBD"});
}

TEST(AgentProtocol, WrongTypesAreNamedWithTheirPath) {
  EXPECT_EQ(message_of(R"({"command":"x"})"),
            "command: expected an array of strings, found string");
  EXPECT_EQ(message_of(R"({"command":["x",1]})"), "command[1]: expected a string, found number");
  EXPECT_EQ(message_of(R"({"command":["x"],"environment":{"A":null}})"),
            "environment.A: expected a string, found null");
  EXPECT_EQ(message_of(R"({"command":["x"],"readiness":{"tcpPort":"80"}})"),
            "readiness.tcpPort: expected a whole number, found string");
  EXPECT_EQ(message_of(R"({"command":["x"],"readiness":[]})"),
            "readiness: expected an object, found array");
  EXPECT_EQ(message_of(R"({"command":["x"],"tty":1})"),
            "tty: expected true or false, found number");
  EXPECT_EQ(message_of(R"({"command":["x"],"graceMs":1.5})"),
            "graceMs: expected a whole number, found number");
  EXPECT_EQ(message_of("[]"), "expected an object, found array");
}

TEST(AgentProtocol, ValuesOutOfRangeAreRefused) {
  EXPECT_EQ(message_of(R"({"command":[]})"),
            "command: empty, expected the tool's path or name and its arguments");
  EXPECT_EQ(message_of(R"({"command":["x"],"readiness":{"tcpPort":65536}})"),
            "readiness.tcpPort: 65536 is not between 0 and 65535");
  EXPECT_EQ(message_of(R"({"command":["x"],"readiness":{"tcpPort":99999999999}})"),
            "readiness.tcpPort: 99999999999 is out of range");
  EXPECT_EQ(message_of(R"({"command":["x"],"graceMs":18446744073709551615})"),
            "graceMs: 18446744073709551615 is out of range");
  EXPECT_EQ(message_of(R"({"command":["x"],"graceMs":-1})"),
            "graceMs: -1 is not between 0 and 86400000");
  EXPECT_EQ(decode_started(R"({"pid":1,"startTicks":-1})").error().message,
            "startTicks: -1 is out of range");
}

TEST(AgentProtocol, HostileJsonIsRefused) {
  EXPECT_EQ(message_of(R"({"command":["a"],"command":["b"]})"), "key \"command\" stands twice");
  EXPECT_EQ(message_of(R"({"command":["x"],"environment":{"A":"1","A":"2"}})"),
            "key \"A\" stands twice");
  EXPECT_EQ(message_of(std::string(100'000, '[')), "nested too deeply");
  EXPECT_EQ(message_of("{\"command\":[\"a\\u0000b\"]}"), "command[0]: holds a NUL character");
  EXPECT_EQ(message_of(R"({"command":["x"],"environment":{"A=B":""}})"),
            "environment: \"A=B\" is no name of a variable");
  for (const char* text : {"", "{", "{\"command\":[\"a\"]} x", "{\"command\":[\"\xff\"]}", "nul"}) {
    EXPECT_TRUE(message_of(text).starts_with("not valid JSON: ")) << message_of(text);
  }
}

TEST(AgentProtocol, EveryTruncationIsRefused) {
  const std::string whole = encode(full_spec());
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(decode_replica_spec(whole.substr(0, length))) << length;
  }
}

TEST(AgentProtocol, ProbeTargetsAreChecked) {
  const auto message = [](std::string_view json) {
    const auto decoded = decode_probe_targets(json);
    return decoded ? "accepted" : decoded.error().message;
  };
  EXPECT_EQ(message("{}"), "expected an array of checks, found object");
  EXPECT_EQ(message(R"([{"kind":"icmp"}])"),
            "[0].kind: found \"icmp\", expected tcp, udp, http or exec");
  EXPECT_EQ(message(R"([{"kind":"tcp","host":"h"}])"), "[0].port: 0 is not between 1 and 65535");
  EXPECT_EQ(message(R"([{"kind":"tcp","port":1}])"),
            "[0].host: empty, expected an address or a name");
  EXPECT_EQ(message(R"([{"kind":"tcp","host":"h","port":1},{"kind":"exec"}])"),
            "[1].command: empty, expected what the exec check runs");
  EXPECT_EQ(message(R"([{"kind":"tcp","host":"h","port":1,"periodMs":0}])"),
            "[0].periodMs: 0 is not between 1 and 86400000");
  EXPECT_EQ(message(R"([{"kind":"http","host":"h","port":1,"path":"/ HTTP/1.1\r\nX: y"}])"),
            "[0].path: holds a blank or a control sign");
  EXPECT_EQ(message(R"([7])"), "[0]: expected an object, found number");
}

TEST(AgentProtocol, ARecordIsCutToFitWithItsNewestLinesKept) {
  ExitRecord record{.code = 1, .error = "short"};
  EXPECT_EQ(decode_exit_record(encode_within(kMaxTerminationBytes, record)), record);
  for (int i = 0; i < 20; ++i)
    record.last_lines.push_back(std::to_string(i) + std::string(390, 'x'));
  const std::string text = encode_within(kMaxTerminationBytes, record);
  EXPECT_LE(text.size(), kMaxTerminationBytes);
  EXPECT_GT(text.size(), kMaxTerminationBytes - 450);
  const auto cut = decode_exit_record(text);
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(cut->last_lines.back(), record.last_lines.back());
  EXPECT_EQ(cut->error, "short");
}

TEST(AgentProtocol, AlsoAnErrorFullOfEscapesFits) {
  ExitRecord record{.code = kCannotStart, .error = std::string(50'000, '\x01')};
  record.last_lines.push_back(std::string(9000, '"'));
  const std::string text = encode_within(kMaxTerminationBytes, record);
  EXPECT_LE(text.size(), kMaxTerminationBytes);
  EXPECT_EQ(decode_exit_record(text)->code, kCannotStart);
}

TEST(AgentProtocol, StartsAreReadAsTheyWereWritten) {
  const StartReport report{.skew_us = 310, .started = 2, .errors = {"10.0.0.7:7070 refused"}};
  EXPECT_EQ(decode_start_report(encode(report)), report);
  EXPECT_EQ(decode_start_answer(encode(StartAnswer{77})), StartAnswer{77});
  EXPECT_EQ(decode_start_answer("{}").error().message, "startedAtUs: missing");
  EXPECT_FALSE(decode_start_answer("ok"));
}

}  // namespace
}  // namespace atq::agent
