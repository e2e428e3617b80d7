// The prober against real listeners and commands.

#include <algorithm>

#include "tests/integration/agent/harness.hpp"
#include "tests/integration/agent/sockets.hpp"

namespace atq::agent::testing_support {
namespace {

class AgentProbe : public AgentTest {
 protected:
  Process start_probe(const std::vector<ProbeTarget>& targets) {
    EXPECT_TRUE(write_by_rename(folder + "/checks.json", encode(targets), false));
    return Process({agent_binary(), "probe", "--spec", folder + "/checks.json", "--report",
                    folder + "/report.jsonl"});
  }
  std::vector<CheckReport> reports() const {
    std::vector<CheckReport> out;
    const std::string all = text("report.jsonl");
    for (size_t at = 0; at < all.size();) {
      const size_t end = all.find('\n', at);
      if (end == std::string::npos) break;
      const auto report = decode_check_report(all.substr(at, end - at));
      EXPECT_TRUE(report) << all.substr(at, end - at);
      if (report) out.push_back(*report);
      at = end + 1;
    }
    return out;
  }
  /// Starts the check, waits for its first failure and gives its error.
  std::string first_error(const ProbeTarget& target) {
    Process probe = start_probe({target});
    EXPECT_TRUE(eventually([&] { return !reports().empty(); }));
    probe.signal(SIGTERM);
    EXPECT_EQ(probe.wait(), 128 + SIGTERM);
    return reports().empty() ? "(no report)" : reports().front().error;
  }
  static ProbeTarget http(int port) {
    return {.name = "web", .kind = "http", .host = "127.0.0.1", .port = port, .path = "/"};
  }
  static ProbeTarget exec(const std::string& script) {
    return {.name = "cmd",
            .kind = "exec",
            .command = {"sh", "-c", unexpanded(script)},
            .environment = {{"PATH", "/usr/bin:/bin"}}};
  }
};

TEST_F(AgentProbe, AListenerThatComesLateIsSeen) {
  const int port = port_of(bind_to("127.77.3.3", SOCK_STREAM));
  Process probe = start_probe({{.name = "rmi",
                                .worker = 2,
                                .kind = "tcp",
                                .host = "127.77.3.3",
                                .port = port,
                                .success_threshold = 2}});
  ASSERT_TRUE(eventually([&] { return !reports().empty(); }));
  EXPECT_EQ(reports().front().error, "tcp 127.77.3.3:" + std::to_string(port) + " refused");
  EXPECT_EQ(reports().front().worker, 2);
  EXPECT_FALSE(reports().front().passed);
  TcpServer server([](int, const std::stop_token&) {}, "127.77.3.3", port);
  EXPECT_EQ(probe.wait(), 0);
  EXPECT_TRUE(reports().back().passed);
  EXPECT_EQ(reports().back().error, "");
  EXPECT_GE(reports().back().tries, 3);
}

TEST_F(AgentProbe, ManyChecksPassSideBySide) {
  TcpServer server([](int, const std::stop_token&) {});
  std::vector<ProbeTarget> targets;
  for (int i = 0; i < 200; ++i) {
    targets.push_back(
        {.name = "t", .worker = i, .kind = "tcp", .host = "127.0.0.1", .port = server.port()});
    targets.push_back(exec("exit 0"));
    targets.back().worker = i;
  }
  Process probe = start_probe(targets);
  EXPECT_EQ(probe.wait(), 0);
  EXPECT_EQ(reports().size(), 400U);
}

TEST_F(AgentProbe, NoChecksHavePassed) {
  Process probe = start_probe({});
  EXPECT_EQ(probe.wait(), 0);
}

TEST_F(AgentProbe, OneProberAtATime) {
  Process first = start_probe({{.name = "a", .kind = "tcp", .host = "127.0.0.1", .port = 1}});
  ASSERT_TRUE(eventually([&] { return !reports().empty(); }));
  Process second = start_probe({});
  EXPECT_EQ(second.wait(), kAlreadyStarted);
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait(), 128 + SIGTERM);
}

TEST_F(AgentProbe, AHalfWrittenLineOfAKilledProberSpoilsNoOther) {
  std::ofstream(folder + "/report.jsonl") << "{\"name\":";
  TcpServer server([](int, const std::stop_token&) {});
  Process probe =
      start_probe({{.name = "a", .kind = "tcp", .host = "127.0.0.1", .port = server.port()}});
  EXPECT_EQ(probe.wait(), 0);
  EXPECT_TRUE(text("report.jsonl").starts_with("{\"name\":\n{")) << text("report.jsonl");
}

TEST_F(AgentProbe, RepeatedFailuresAreReportedAtMostEverySecond) {
  ProbeTarget target{.name = "a", .kind = "tcp", .host = "127.0.0.1", .port = 1, .period_ms = 20};
  Process probe = start_probe({target});
  ASSERT_TRUE(eventually([&] { return reports().size() >= 2; }));
  probe.signal(SIGTERM);
  probe.wait();
  const auto all = reports();
  EXPECT_GE(all[1].at_us - all[0].at_us, 1'000'000);
  EXPECT_GT(all[1].tries, 5);
}

TEST_F(AgentProbe, HttpStatusAndBodyAreJudged) {
  TcpServer busy(answer_with("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"));
  ProbeTarget target = http(busy.port());
  EXPECT_EQ(first_error(target), "http 127.0.0.1:" + std::to_string(busy.port()) +
                                     " answered http 503, expected 200 to 399");
  std::filesystem::remove(folder + "/report.jsonl");
  TcpServer chunked(answer_with(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nrea\r\n2;x=y\r\ndy\r\n0\r\n\r\n"));
  target = http(chunked.port());
  target.expect = "^ready$";
  Process probe = start_probe({target});
  EXPECT_EQ(probe.wait(), 0);
}

TEST_F(AgentProbe, AServerThatAnswersGarbageIsNamed) {
  TcpServer server(answer_with("SSH-2.0-OpenSSH\r\n"));
  EXPECT_EQ(first_error(http(server.port())),
            "http 127.0.0.1:" + std::to_string(server.port()) + " not HTTP: \"SSH-2.0-OpenSSH\"");
}

TEST_F(AgentProbe, AServerWithEndlessHeadersIsCutOff) {
  TcpServer server([](int fd, const std::stop_token& stop) {
    answer_with("HTTP/1.1 200 OK\r\n")(fd, stop);
    while (!stop.stop_requested()) {
      const std::string line = "X-Filler: " + std::string(1000, 'x') + "\r\n";
      if (::send(fd, line.data(), line.size(), MSG_NOSIGNAL) < 0) return;
    }
  });
  EXPECT_EQ(first_error(http(server.port())), "http 127.0.0.1:" + std::to_string(server.port()) +
                                                  " the head is larger than 16384 bytes");
}

TEST_F(AgentProbe, AServerThatNeverAnswersTimesOut) {
  TcpServer server([](int fd, const std::stop_token& stop) {
    send_text(fd, "HTTP/1.1 ");
    pollfd wait{fd, POLLIN | POLLRDHUP, 0};
    char buffer[4096];
    while (!stop.stop_requested() && ::poll(&wait, 1, 10) >= 0) {
      if ((wait.revents & POLLIN) != 0 && ::recv(fd, buffer, sizeof buffer, 0) <= 0) return;
    }
  });
  ProbeTarget target = http(server.port());
  target.timeout_ms = 100;
  EXPECT_EQ(first_error(target),
            "http 127.0.0.1:" + std::to_string(server.port()) + " timed out after 100ms");
}

TEST_F(AgentProbe, UdpRefusalIsAFailureAndAnAnswerIsJudged) {
  const int closed = port_of(bind_to("127.77.3.4", SOCK_DGRAM));
  ProbeTarget target{.name = "u", .kind = "udp", .host = "127.77.3.4", .port = closed, .send = "x"};
  EXPECT_EQ(first_error(target), "udp 127.77.3.4:" + std::to_string(closed) + " refused");
  std::filesystem::remove(folder + "/report.jsonl");

  UdpSocket server("127.77.3.4");
  server.serve([](const std::string& asked) { return asked == "ping" ? "pong" : "what?"; });
  target.port = server.port();
  target.expect = "^pong$";
  target.timeout_ms = 200;
  EXPECT_EQ(first_error(target), "udp 127.77.3.4:" + std::to_string(server.port()) +
                                     " the answer does not match /^pong$/: what?");
  std::filesystem::remove(folder + "/report.jsonl");
  target.send = "ping";
  Process probe = start_probe({target});
  EXPECT_EQ(probe.wait(), 0);
}

TEST_F(AgentProbe, UdpSilenceIsAPassWhereNoAnswerIsExpected) {
  UdpSocket silent("127.77.3.4");
  Process probe = start_probe(
      {{.name = "u", .kind = "udp", .host = "127.77.3.4", .port = silent.port(), .send = "x"}});
  EXPECT_EQ(probe.wait(), 0);
  EXPECT_EQ(silent.receive(), "x");
}

TEST_F(AgentProbe, ExecIsJudgedByExitCodeAndOutput) {
  EXPECT_EQ(first_error(exec("echo first; echo why >&2; exit 1")), "exit code 1, expected 0: why");
  std::filesystem::remove(folder + "/report.jsonl");
  ProbeTarget target = exec("echo $NAME; exit 3");
  target.environment["NAME"] = "warm";
  target.exit_code = 3;
  target.expect = "cold";
  EXPECT_EQ(first_error(target), "the output does not match /cold/: warm");
  std::filesystem::remove(folder + "/report.jsonl");
  target.expect = "warm";
  Process probe = start_probe({target});
  EXPECT_EQ(probe.wait(), 0);
}

TEST_F(AgentProbe, AMissingCommandIsNamed) {
  ProbeTarget target = exec("");
  target.command = {"no-such-command"};
  EXPECT_EQ(first_error(target), "no-such-command: not found in PATH (/usr/bin:/bin)");
}

TEST_F(AgentProbe, ACommandThatHangsIsKilledWithItsGroup) {
  ProbeTarget target = exec("sleep 1000 & echo $! > " + folder + "/stdout.log; wait");
  target.timeout_ms = 200;
  target.period_ms = 60'000;
  Process probe = start_probe({target});
  const int sleeper = await_pid();
  ASSERT_TRUE(eventually([&] { return !reports().empty(); }));
  EXPECT_EQ(reports().front().error, "timed out after 200ms");
  EXPECT_TRUE(eventually([&] { return !is_live(sleeper); }));
  probe.signal(SIGTERM);
  EXPECT_EQ(probe.wait(), 128 + SIGTERM);
}

TEST_F(AgentProbe, WhatAChecksCommandLeavesIsGoneWhenTheProberEnds) {
  ProbeTarget target =
      exec("setsid sleep 1000 >/dev/null 2>&1 & echo $! > " + folder + "/stdout.log");
  Process probe = start_probe({target});
  EXPECT_EQ(probe.wait(), 0);
  EXPECT_FALSE(is_live(await_pid()));
}

TEST_F(AgentProbe, LeftoversOfManyTriesDoNotPileUpAsZombies) {
  ProbeTarget target = exec("sleep 1000 & exit 1");
  target.period_ms = 1;
  Process probe = start_probe({target});
  ASSERT_TRUE(eventually([&] { return !reports().empty() && reports().back().tries > 40; }));
  const Ran children = run("ps -o stat= --ppid " + std::to_string(probe.pid()));
  EXPECT_LE(std::ranges::count(children.output, '\n'), 20) << children.output;
  probe.signal(SIGTERM);
  EXPECT_EQ(probe.wait(), 128 + SIGTERM);
}

TEST_F(AgentProbe, EndsWithItsParent) {
  ASSERT_TRUE(write_by_rename(folder + "/checks.json",
                              encode(std::vector<ProbeTarget>{
                                  {.name = "a", .kind = "tcp", .host = "127.0.0.1", .port = 1}}),
                              false));
  Process parent({"/bin/sh", "-c",
                  agent_binary() + " probe --parent $$ --spec " + folder +
                      "/checks.json --report " + folder + "/report.jsonl & wait"});
  ASSERT_TRUE(eventually([&] { return is_locked(folder + "/report.jsonl"); }));
  parent.signal(SIGKILL);
  parent.wait();
  EXPECT_TRUE(eventually([&] { return !is_locked(folder + "/report.jsonl"); }));
}

TEST_F(AgentProbe, BadChecksAreNamed) {
  std::ofstream(folder + "/checks.json")
      << R"([{"name":"x","kind":"exec","command":["a"],"expect":"("}])";
  const Ran ran = run(agent_binary() + " probe --spec " + folder + "/checks.json --report " +
                      folder + "/report.jsonl");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.output.find("check x: \"(\" is no regular expression"), std::string::npos)
      << ran.output;
}

TEST_F(AgentProbe, OneShotProbesSayTheOutcomeOnOneLine) {
  TcpServer server(answer_with("HTTP/1.1 200 OK\r\n\r\n"));
  const std::string place = "127.0.0.1:" + std::to_string(server.port());
  const Ran passed = run(agent_binary() + " probe http http://" + place + "/x");
  EXPECT_EQ(passed.code, 0);
  EXPECT_TRUE(passed.output.starts_with("http " + place + " passed (")) << passed.output;
  const Ran refused = run(agent_binary() + " probe tcp 127.0.0.1:1");
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.output, "tcp 127.0.0.1:1 refused\n");
  const Ran name = run(agent_binary() + " probe dns localhost");
  EXPECT_EQ(name.code, 0);
  EXPECT_TRUE(name.output.starts_with("dns localhost 127.0.0.1")) << name.output;
  EXPECT_EQ(run(agent_binary() + " probe tcp localhost:" + std::to_string(server.port())).code, 0);
  EXPECT_EQ(run(agent_binary() + " probe tcp nonsense").code, 2);
}

TEST_F(AgentProbe, VersionAndHelp) {
  EXPECT_EQ(run(agent_binary() + " version").output, "atq-agent " ATQ_VERSION "\n");
  EXPECT_NE(run(agent_binary() + " exec --help").output.find("Example:"), std::string::npos);
  const Ran nothing = run(agent_binary());
  EXPECT_EQ(nothing.code, 2);
}

}  // namespace
}  // namespace atq::agent::testing_support
