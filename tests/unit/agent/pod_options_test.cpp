#include <gtest/gtest.h>

#include "src/agent/command_line.hpp"

namespace atq::agent {
namespace {

std::string problem_of(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  return parsed ? "accepted" : parsed.error().message;
}

template <class Options>
Options parsed_as(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed ? std::get<Options>(*parsed) : Options{};
}

TEST(AgentPodOptions, TakesAllOfThem) {
  const auto pod = parsed_as<PodOptions>({"pod",
                                          "--termination-log",
                                          "/dev/termination-log",
                                          "--grace-ms",
                                          "5000",
                                          "--stop-udp",
                                          "4445",
                                          "--stop-graceful",
                                          "Shutdown",
                                          "--stop-now",
                                          "StopTestNow",
                                          "--address=10.0.0.7",
                                          "--listen",
                                          "7070",
                                          "--ready-log",
                                          "-ready$",
                                          "--ready-tcp",
                                          "1099",
                                          "--ready-http",
                                          "8089:/health?x=1:2",
                                          "--wait-for-start",
                                          "run-4",
                                          "--",
                                          "sh",
                                          "-c",
                                          "echo $$(A) -- --help",
                                          "--"});
  EXPECT_EQ(pod.termination_log, "/dev/termination-log");
  EXPECT_EQ(pod.listen_port, 7070);
  EXPECT_EQ(pod.start_token, "run-4");
  EXPECT_EQ(pod.spec.command, (std::vector<std::string>{"sh", "-c", "echo $$(A) -- --help", "--"}));
  EXPECT_EQ(pod.spec.grace_ms, 5000);
  EXPECT_EQ(pod.spec.address, "10.0.0.7");
  EXPECT_EQ(pod.spec.stop, (StopSpec{4445, "Shutdown", "StopTestNow"}));
  EXPECT_EQ(pod.spec.readiness, (ReadinessSpec{1099, 8089, "/health?x=1:2", "-ready$"}));
}

TEST(AgentPodOptions, NeedsOnlyTheCommand) {
  const auto pod = parsed_as<PodOptions>({"pod", "--", "--help"});
  EXPECT_EQ(pod.spec.command, std::vector<std::string>{"--help"});
  EXPECT_EQ(pod.spec.grace_ms, 30'000);
  EXPECT_EQ(pod.listen_port, 0);
}

TEST(AgentPodOptions, MistakesAreNamed) {
  const std::string missing =
      "pod: the tool's command is missing: atq-agent pod [options] -- COMMAND…";
  EXPECT_EQ(problem_of({"pod"}), missing);
  EXPECT_EQ(problem_of({"pod", "--"}), missing);
  EXPECT_EQ(problem_of({"pod", "--", ""}), missing);
  EXPECT_EQ(problem_of({"pod", "sleep", "1"}),
            "pod: unexpected \"sleep\"; the tool's command stands after --");
  EXPECT_EQ(problem_of({"pod", "--listn", "1", "--", "x"}),
            "unknown option --listn, did you mean --listen?");
  EXPECT_EQ(problem_of({"pod", "--listen", "0", "--", "x"}),
            "pod: --listen: found \"0\", expected a number from 1 to 65535");
  EXPECT_EQ(problem_of({"pod", "--grace-ms", "-1", "--", "x"}),
            "pod: --grace-ms: found \"-1\", expected a number from 0 to 86400000");
  EXPECT_EQ(problem_of({"pod", "--wait-for-start", "t", "--", "x"}),
            "pod: --wait-for-start needs --listen PORT, where the start comes in");
  EXPECT_EQ(problem_of({"pod", "--listen", "1", "--wait-for-start", "", "--", "x"}),
            "pod: --wait-for-start: the token is empty");
  for (const char* text : {"8080", "8080:", "8080:x", "0:/", ":/", "a:/", "80:/a b", "80:/\r\n"}) {
    const std::string expected =
        text == std::string("8080")
            ? "accepted"
            : "pod: --ready-http: found \"" + std::string(text) + "\", expected PORT:/path";
    EXPECT_EQ(problem_of({"pod", "--ready-http", text, "--", "x"}), expected);
  }
}

TEST(AgentStartOptions, TakesTargetsOfBothFamilies) {
  const auto start = parsed_as<StartOptions>(
      {"start", "--token", "4", "--targets", "10.0.0.7:7070,[fd00::1]:7070,w-0.run:1"});
  EXPECT_EQ(start.token, "4");
  EXPECT_EQ(start.timeout_ms, 30'000);
  EXPECT_EQ(start.targets,
            (std::vector<HostPort>{{"10.0.0.7", 7070}, {"fd00::1", 7070}, {"w-0.run", 1}}));
  EXPECT_EQ(
      parsed_as<StartOptions>({"start", "--token", "4", "--targets", "a:1", "--timeout", "500ms"})
          .timeout_ms,
      500);
}

TEST(AgentStartOptions, MistakesAreNamed) {
  EXPECT_EQ(problem_of({"start", "--targets", "a:1"}), "start: --token TOKEN is missing");
  EXPECT_EQ(problem_of({"start", "--token", "", "--targets", "a:1"}),
            "start: --token: the token is empty");
  EXPECT_EQ(problem_of({"start", "--token", "4"}), "start: --targets HOST:PORT,… is missing");
  EXPECT_EQ(problem_of({"start", "--token", "4", "--targets", "a:1,b"}),
            "start: --targets: found \"b\", expected HOST:PORT with a port from 1 to 65535");
  EXPECT_FALSE(parse_command_line({"start", "--token", "4", "--targets", "a:1,,b:1"}));
}

TEST(AgentInstallOptions, TakesOneFolder) {
  EXPECT_EQ(parsed_as<InstallOptions>({"install", "/atq/bin"}).folder, "/atq/bin");
  EXPECT_EQ(problem_of({"install"}), "install: expected one DIR, found 0 arguments");
  EXPECT_EQ(problem_of({"install", "a", "b"}), "install: expected one DIR, found 2 arguments");
}

}  // namespace
}  // namespace atq::agent
