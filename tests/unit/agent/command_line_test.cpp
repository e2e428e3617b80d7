#include "src/agent/command_line.hpp"

#include <gtest/gtest.h>

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

TEST(AgentCommandLine, ExecTakesFolderAndParent) {
  EXPECT_EQ(parsed_as<ExecOptions>({"exec", "--folder", "/x"}).folder, "/x");
  EXPECT_EQ(parsed_as<ExecOptions>({"exec", "--folder", "/x"}).parent, 0);
  const auto both = parsed_as<ExecOptions>({"exec", "--parent=77", "--folder=/a=b"});
  EXPECT_EQ(both.folder, "/a=b");
  EXPECT_EQ(both.parent, 77);
}

TEST(AgentCommandLine, ProbeTakesItsFiles) {
  const auto probe = parsed_as<ProbeOptions>({"probe", "--spec", "s", "--report", "r"});
  EXPECT_EQ(probe.spec_file, "s");
  EXPECT_EQ(probe.report_file, "r");
  EXPECT_EQ(probe.parent, 0);
  const auto by_env = parsed_as<ProbeOptions>({"probe", "--spec-env", "CHECKS", "--report", "-"});
  EXPECT_EQ(by_env.spec_env, "CHECKS");
  EXPECT_EQ(by_env.report_file, "-");
}

TEST(AgentCommandLine, OneShotProbesBecomeTargets) {
  const auto tcp = parsed_as<ProbeOnceOptions>({"probe", "tcp", "h:1099", "--timeout", "250ms"});
  EXPECT_EQ(
      tcp.target,
      (ProbeTarget{.name = "tcp", .kind = "tcp", .host = "h", .port = 1099, .timeout_ms = 250}));
  const auto http = parsed_as<ProbeOnceOptions>({"probe", "http", "http://[::1]:81/a?b=c"});
  EXPECT_EQ(http.target.host, "::1");
  EXPECT_EQ(http.target.port, 81);
  EXPECT_EQ(http.target.path, "/a?b=c");
  EXPECT_EQ(parsed_as<ProbeOnceOptions>({"probe", "dns", "name"}).target.host, "name");
}

TEST(AgentCommandLine, HelpIsFoundAnywhere) {
  EXPECT_EQ(parsed_as<HelpOptions>({"--help"}).topic, "");
  EXPECT_EQ(parsed_as<HelpOptions>({"exec", "--folder", "x", "-h"}).topic, "exec");
  EXPECT_EQ(parsed_as<HelpOptions>({"help", "probe"}).topic, "probe");
  EXPECT_EQ(parsed_as<HelpOptions>({"pod", "--help", "--", "x"}).topic, "pod");
  for (const char* topic : {"", "exec", "pod", "start", "install", "probe"}) {
    EXPECT_NE(help_text(topic).find("xample"), std::string::npos) << topic;
  }
}

TEST(AgentCommandLine, TheExampleOfExecIsWhatItTakes) {
  const std::string help = help_text("exec");
  const size_t begin = help.find("echo '") + 6;
  const auto spec = decode_replica_spec(help.substr(begin, help.find("'", begin) - begin));
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->command.size(), 2U);
  EXPECT_NE(help.find("\n  atq-agent exec --folder /tmp/replica;"), std::string::npos);
}

TEST(AgentCommandLine, MistakesAreNamed) {
  EXPECT_EQ(problem_of({}),
            "no command, expected exec, pod, start, install, probe, version or --help");
  EXPECT_EQ(problem_of({"run"}),
            "unknown command \"run\", expected exec, pod, start, install, probe, version or "
            "--help");
  EXPECT_EQ(problem_of({"exec"}), "exec: --folder DIR is missing");
  EXPECT_EQ(problem_of({"exec", "--folder"}), "option --folder needs a value");
  EXPECT_EQ(problem_of({"exec", "--folder", "a", "--folder", "b"}), "option --folder stands twice");
  EXPECT_EQ(problem_of({"exec", "--foldr", "a"}), "unknown option --foldr, did you mean --folder?");
  EXPECT_EQ(problem_of({"exec", "--folder", "a", "sh"}),
            "exec: unexpected \"sh\"; the command stands in DIR/replica.json");
  EXPECT_EQ(problem_of({"exec", "--folder", "a", "--parent", "0"}),
            "--parent: found \"0\", expected a process id");
  EXPECT_EQ(problem_of({"probe", "--spec", "a"}), "probe: --report FILE is missing");
  EXPECT_EQ(problem_of({"probe", "--report", "a"}),
            "probe: expected one of --spec FILE and --spec-env NAME");
  EXPECT_EQ(problem_of({"probe", "--spec", "a", "--spec-env", "b", "--report", "-"}),
            "probe: expected one of --spec FILE and --spec-env NAME");
  EXPECT_EQ(problem_of({"probe", "icmp", "h"}),
            "probe: found \"icmp\", expected tcp, udp, http, dns or --spec");
  EXPECT_EQ(problem_of({"probe", "tcp"}), "probe tcp: expected one HOST:PORT, found 0 arguments");
  EXPECT_EQ(problem_of({"probe", "tcp", "h:1", "--timeout", "2"}),
            "--timeout: found \"2\", expected for example 250ms, 2s or 1m");
}

TEST(AgentCommandLine, HostAndPort) {
  EXPECT_EQ(parse_host_port("a.b:1"), (HostPort{"a.b", 1}));
  EXPECT_EQ(parse_host_port("[fe80::1]:65535"), (HostPort{"fe80::1", 65'535}));
  for (const char* text : {"", "a", ":1", "a:", "a:0", "a:65536", "a:-1", "a:1x", "::1:80", "[]:1",
                           "a: 1", "a:99999999999999999999"}) {
    EXPECT_FALSE(parse_host_port(text)) << text;
  }
}

TEST(AgentCommandLine, Urls) {
  EXPECT_EQ(parse_http_url("http://h")->port, 80);
  EXPECT_EQ(parse_http_url("http://h")->path, "/");
  EXPECT_EQ(parse_http_url("http://h:8080?q")->path, "?q");
  EXPECT_EQ(parse_http_url("http://[::1]/x")->host, "::1");
  for (const char* text : {"h", "ftp://h", "http://", "http://:80/", "http://h:0/", "http://h/a b",
                           "http://h/a\r\nX: y"}) {
    EXPECT_FALSE(parse_http_url(text)) << text;
  }
  EXPECT_EQ(parse_http_url("https://h").error().message,
            "\"https://h\": https is not supported, probe its port with tcp");
}

TEST(AgentCommandLine, Timeouts) {
  EXPECT_EQ(parse_timeout("1ms"), 1);
  EXPECT_EQ(parse_timeout("60m"), 3'600'000);
  for (const char* text : {"", "s", "0s", "61m", "1h", "-1s", "1.5s", "99999999999999999999ms"}) {
    EXPECT_FALSE(parse_timeout(text)) << text;
  }
}

}  // namespace
}  // namespace atq::agent
