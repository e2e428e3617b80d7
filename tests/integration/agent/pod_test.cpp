// The agent as the first process of a container: a pid namespace of its own, its output on pipes.

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "src/agent/http_answer.hpp"
#include "tests/integration/agent/harness.hpp"
#include "tests/integration/agent/sockets.hpp"

namespace atq::agent::testing_support {
namespace {

int free_port() { return port_of(bind_to("127.0.0.1", SOCK_STREAM)); }

/// One request on a connection of its own; status 0: nobody listens.
HttpAnswer ask(int port, const std::string& request) {
  HttpAnswer answer;
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = numeric_address("127.0.0.1", port).value();
  if (::connect(fd.get(), address.get(), address.length) != 0) return answer;
  send_text(fd.get(), request + " HTTP/1.1\r\nHost: x\r\n\r\n");
  char buffer[4096];
  for (ssize_t count; (count = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;) {
    answer.feed({buffer, static_cast<size_t>(count)});
  }
  answer.end_of_stream();
  return answer;
}

class AgentPod : public AgentTest {
 protected:
  void SetUp() override {
    AgentTest::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "a pid namespace of its own takes root";
    if (run("unshare -pf --mount-proc true").code != 0) {
      GTEST_SKIP() << "unshare gives no pid namespace here";
    }
  }
  /// `atq-agent pod` as pid 1, its output in out and err of the folder.
  Process start_pod(const std::vector<std::string>& options, const std::string& script) {
    return start_words(options, {"sh", "-c", script});
  }
  Process start_words(const std::vector<std::string>& options,
                      const std::vector<std::string>& tool) {
    std::vector<std::string> words{"/usr/bin/env",
                                   "-C",
                                   folder,
                                   "sh",
                                   "-c",
                                   "exec unshare -pf --kill-child --mount-proc \"$@\" >out 2>err",
                                   "sh",
                                   agent_binary(),
                                   "pod",
                                   "--termination-log",
                                   folder + "/exit.json"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), tool.begin(), tool.end());
    return Process(words);
  }
  /// Sends the agent, which unshare hides, a signal.
  void signal_agent(const Process& unshare, int number) {
    int pid = 0;
    const std::string children = "/proc/" + std::to_string(unshare.pid()) + "/task/" +
                                 std::to_string(unshare.pid()) + "/children";
    ASSERT_TRUE(eventually([&] {
      pid = std::atoi(read_whole(children, 4096).value_or("").c_str());
      return pid > 0;
    }));
    ::kill(pid, number);
  }
};

TEST_F(AgentPod, OutputGoesOnUnchangedAndTheRecordStands) {
  Process agent = start_pod({}, "printf 'one\\r\\ntwo\\377'; printf problem >&2; exit 7");
  EXPECT_EQ(agent.wait(), 7);
  EXPECT_EQ(text("out"), "one\r\ntwo\377");
  EXPECT_EQ(text("err"), "problem");
  EXPECT_EQ(record().code, 7);
  EXPECT_EQ(record().last_lines.size(), 3U);
}

TEST_F(AgentPod, ItIsPidOneWithTheContainersEnvironmentAndFolder) {
  ::setenv("ATQ_POD_TEST", "a $(PATH) $$", 1);
  Process agent = start_pod({}, "echo $PPID; pwd; echo \"$ATQ_POD_TEST\"; echo '$(ATQ_POD_TEST)'");
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(text("out"), "1\n" + folder + "\na $(PATH) $$\n$(ATQ_POD_TEST)\n");
  ::unsetenv("ATQ_POD_TEST");
}

TEST_F(AgentPod, OrphansAreReapedWhileTheToolRuns) {
  Process agent = start_pod({},
                            "for i in 1 2 3 4 5; do (sh -c 'exit 0' &); done; "
                            "(setsid sh -c 'exit 3' &) ; for i in $(seq 500); do "
                            "grep -ls '^State:.Z' /proc/[0-9]*/status >zombies || exit 0; "
                            "sleep 0.01; done; exit 9");
  EXPECT_EQ(agent.wait(), 0) << text("zombies");
}

TEST_F(AgentPod, ALongOutputArrivesWhole) {
  Process agent = start_pod({}, "seq 1 400000; echo end >&2");
  EXPECT_EQ(agent.wait(), 0);
  const std::string out = text("out");
  EXPECT_EQ(std::ranges::count(out, '\n'), 400'000);
  EXPECT_TRUE(out.ends_with("399999\n400000\n"));
  EXPECT_EQ(text("err"), "end\n");
}

TEST_F(AgentPod, ASlowReaderHoldsTheToolNotTheAgent) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const int kept = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
  ::fflush(stdout);
  ::dup2(writer.get(), STDOUT_FILENO);
  Process agent({agent_binary(), "pod", "--grace-ms", "60000", "--", "sh", "-c",
                 "trap 'exit 5' TERM; while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done"});
  ::dup2(kept, STDOUT_FILENO);
  ::close(kept);
  writer.reset();
  // The pipe is full and nobody reads; the agent listens to signals all the same.
  int held = 0, same = 0;
  ASSERT_TRUE(eventually([&] {
    int now = 0;
    ::ioctl(reader.get(), FIONREAD, &now);
    same = now > 0 && now == held ? same + 1 : 0;
    held = now;
    return same == 200;
  }));
  agent.signal(SIGINT);
  EXPECT_EQ(agent.wait(), 137);
}

TEST_F(AgentPod, TermIsGracefulAndLeavesNobody) {
  Process agent = start_pod({"--grace-ms", "10000"},
                            "(trap '' TERM; exec setsid sleep 1000) & "
                            "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.02; done");
  ASSERT_TRUE(eventually([&] { return text("out") == "up\n"; }));
  signal_agent(agent, SIGTERM);
  EXPECT_EQ(agent.wait(), 5);
  EXPECT_EQ(text("out"), "up\nbye\n");
}

TEST_F(AgentPod, WhoIgnoresTermIsKilledAfterTheGrace) {
  Process agent =
      start_pod({"--grace-ms", "300"}, "trap '' TERM; echo up; while :; do sleep 0.02; done");
  ASSERT_TRUE(eventually([&] { return text("out") == "up\n"; }));
  signal_agent(agent, SIGTERM);
  EXPECT_EQ(agent.wait(), 137);
  EXPECT_EQ(record().signal, SIGKILL);
}

TEST_F(AgentPod, TheStopDatagramComesFirst) {
  const UdpSocket socket("127.0.0.1");
  Process agent = start_pod({"--stop-udp", std::to_string(socket.port()), "--stop-graceful",
                             "Shutdown", "--grace-ms", "1000"},
                            "echo up; exec sleep 1000");
  ASSERT_TRUE(eventually([&] { return text("out") == "up\n"; }));
  signal_agent(agent, SIGTERM);
  EXPECT_EQ(socket.receive(), "Shutdown");
  EXPECT_EQ(agent.wait(), 143);
}

TEST_F(AgentPod, AMissingToolIsNamedInLogAndRecord) {
  Process agent = start_words({}, {"no-such-tool"});
  EXPECT_EQ(agent.wait(), kCannotStart);
  EXPECT_TRUE(record().error.starts_with("no-such-tool: not found in PATH")) << record().error;
  EXPECT_EQ(text("err"), "atq-agent: " + record().error + "\n");
}

TEST_F(AgentPod, APortThatIsTakenIsNamed) {
  const UniqueFd taken = bind_to("127.0.0.1", SOCK_STREAM);
  ASSERT_EQ(::listen(taken.get(), 1), 0);
  Process agent = start_pod({"--listen", std::to_string(port_of(taken))}, "echo ran");
  EXPECT_EQ(agent.wait(), kCannotStart);
  EXPECT_NE(record().error.find("Address already in use"), std::string::npos) << record().error;
  EXPECT_EQ(text("out"), "");
}

TEST_F(AgentPod, ReadySaysWhatIsMissingUntilAllHolds) {
  const int port = free_port(), tool_port = free_port();
  Process agent = start_pod({"--listen", std::to_string(port), "--ready-tcp",
                             std::to_string(tool_port), "--ready-log", "^go$"},
                            "while [ ! -e go ]; do sleep 0.01; done; echo go; exec sleep 1000");
  const std::string refused = "tcp 127.0.0.1:" + std::to_string(tool_port) + " refused";
  ASSERT_TRUE(eventually([&] {
    return ask(port, "GET /ready").body() == refused + "; no line of its output matches /^go$/\n";
  })) << ask(port, "GET /ready").body();
  EXPECT_EQ(ask(port, "GET /ready").status(), 503);
  TcpServer server([](int, const std::stop_token&) {}, "127.0.0.1", tool_port);
  ASSERT_TRUE(eventually(
      [&] { return ask(port, "GET /ready").body() == "no line of its output matches /^go$/\n"; }));
  std::ofstream(folder + "/go") << "";
  EXPECT_TRUE(eventually([&] { return ask(port, "GET /ready").status() == 200; }));
  EXPECT_EQ(ask(port, "POST /start?token=").status(), 409);
  EXPECT_EQ(ask(port, "GET /other").status(), 404);
}

TEST_F(AgentPod, HostileClientsNeitherStopNorBlockIt) {
  const int port = free_port();
  Process agent = start_pod({"--listen", std::to_string(port)}, "exec sleep 1000");
  ASSERT_TRUE(eventually([&] { return ask(port, "GET /ready").status() == 200; }));
  std::vector<UniqueFd> silent;
  const auto address = numeric_address("127.0.0.1", port).value();
  for (int i = 0; i < 300; ++i) {
    silent.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(silent.back().get(), address.get(), address.length), 0);
    if (i % 3 == 1) send_text(silent.back().get(), "GET /ready HTTP/1.1\r\nX: ");
    if (i % 3 == 2) send_text(silent.back().get(), std::string(5000, 'x'));
  }
  EXPECT_EQ(ask(port, "GET /ready").status(), 200);
  EXPECT_EQ(ask(port, std::string(20'000, 'x')).status(), 431);
  EXPECT_EQ(ask(port, "\x16\x03\x01").status(), 400);
  silent.clear();
  EXPECT_EQ(ask(port, "GET /ready").status(), 200);
}

TEST_F(AgentPod, WaitsForItsOwnStartAndStartsOnce) {
  const int port = free_port();
  Process agent = start_pod({"--listen", std::to_string(port), "--wait-for-start", "run 4"},
                            "echo ran; exec sleep 1000");
  ASSERT_TRUE(eventually([&] { return ask(port, "GET /ready").status() == 200; }));
  EXPECT_EQ(ask(port, "POST /start?token=run3").status(), 403);
  EXPECT_EQ(text("out"), "");
  const auto started = decode_start_answer(ask(port, "POST /start?token=run%204").body());
  ASSERT_TRUE(started);
  EXPECT_EQ(decode_start_answer(ask(port, "POST /start?token=run%204").body()), *started);
  ASSERT_TRUE(eventually([&] { return text("out") == "ran\n"; }));
  signal_agent(agent, SIGTERM);
  EXPECT_EQ(agent.wait(), 143);
  EXPECT_EQ(text("out"), "ran\n");
}

TEST_F(AgentPod, AToolThatCannotBeExecutedTellsTheStarter) {
  std::ofstream(folder + "/tool") << "#!/no/such/interpreter\n";
  std::filesystem::permissions(folder + "/tool", std::filesystem::perms::all);
  const int port = free_port();
  Process agent =
      start_words({"--listen", std::to_string(port), "--wait-for-start", "4"}, {"./tool"});
  ASSERT_TRUE(eventually([&] { return ask(port, "GET /ready").status() == 200; }));
  const Ran start =
      run(agent_binary() + " start --token 4 --targets 127.0.0.1:" + std::to_string(port) +
          " --timeout 10s");
  EXPECT_EQ(start.code, 1);
  EXPECT_NE(start.output.find("interpreter or loader"), std::string::npos) << start.output;
  EXPECT_EQ(agent.wait(), kCannotStart);
}

TEST_F(AgentPod, StopBeforeTheStart) {
  const int port = free_port();
  Process agent =
      start_pod({"--listen", std::to_string(port), "--wait-for-start", "4"}, "echo ran");
  ASSERT_TRUE(eventually([&] { return ask(port, "GET /ready").status() == 200; }));
  signal_agent(agent, SIGTERM);
  EXPECT_EQ(agent.wait(), kCannotStart);
  EXPECT_EQ(record().error, "stopped before it was released");
}

class AgentStart : public AgentPod {
 protected:
  static std::string command(const std::vector<int>& ports, const std::string& timeout) {
    std::string targets;
    for (const int port : ports) targets += ",localhost:" + std::to_string(port);
    return agent_binary() + " start --token run/4 --targets " + targets.substr(1) + " --timeout " +
           timeout;
  }
  static std::vector<std::string> waiting_at(int port) {
    return {"--listen", std::to_string(port), "--wait-for-start", "run/4"};
  }
};

TEST_F(AgentStart, StartsAllAtOnceAlsoThoseThatComeLate) {
  const std::vector<int> ports{free_port(), free_port(), free_port()};
  std::vector<Process> agents;
  agents.push_back(start_pod(waiting_at(ports[0]), "echo ran >>runs"));
  Process starter({"/bin/sh", "-c", command(ports, "20s") + " >" + folder + "/report"});
  agents.push_back(start_pod(waiting_at(ports[1]), "echo ran >>runs"));
  agents.push_back(start_pod(waiting_at(ports[2]), "echo ran >>runs"));
  EXPECT_EQ(starter.wait(), 0);
  for (Process& agent : agents) EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(text("runs"), "ran\nran\nran\n");
  const auto report = decode_start_report(text("report"));
  ASSERT_TRUE(report) << text("report");
  EXPECT_EQ(report->started, 3);
  EXPECT_TRUE(report->errors.empty());
  EXPECT_GT(report->skew_us, 0);
  EXPECT_LT(report->skew_us, 2'000'000);
}

TEST_F(AgentStart, WhereOneCannotBeReachedNobodyStarts) {
  const int port = free_port(), nobody = free_port();
  Process agent = start_pod(waiting_at(port), "echo ran");
  const Ran start = run(command({port, nobody}, "1500ms"));
  EXPECT_EQ(start.code, 1);
  const auto report = decode_start_report(start.output);
  ASSERT_TRUE(report) << start.output;
  EXPECT_EQ(report->started, 0);
  EXPECT_EQ(report->errors,
            std::vector<std::string>{"localhost:" + std::to_string(nobody) + " refused"});
  EXPECT_EQ(ask(port, "GET /ready").status(), 200);
  EXPECT_EQ(text("out"), "");
}

TEST_F(AgentPod, InstallPutsItIntoPlaceWhole) {
  const Ran installed = run("umask 077; " + agent_binary() + " install " + folder + "/bin");
  EXPECT_EQ(installed.code, 0) << installed.output;
  EXPECT_EQ(run("stat -c %a " + folder + "/bin/atq-agent").output, "755\n");
  EXPECT_EQ(run("cmp " + agent_binary() + " " + folder + "/bin/atq-agent").code, 0);
  EXPECT_EQ(run("ls " + folder + "/bin").output, "atq-agent\n");
  const Ran refused = run(agent_binary() + " install /proc/nowhere/bin");
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.output,
            "atq-agent: create /proc/nowhere/bin/atq-agent.tmp: No such file or directory\n");
}

TEST_F(AgentPod, ProbeTakesItsChecksFromTheEnvironmentAndReportsToStdout) {
  TcpServer server([](int, const std::stop_token&) {});
  ::setenv("CHECKS",
           encode(std::vector<ProbeTarget>{
                      {.name = "rmi", .kind = "tcp", .host = "127.0.0.1", .port = server.port()}})
               .c_str(),
           1);
  const Ran probe = run(agent_binary() + " probe --spec-env CHECKS --report -");
  ::unsetenv("CHECKS");
  EXPECT_EQ(probe.code, 0) << probe.output;
  const auto report = decode_check_report(probe.output);
  ASSERT_TRUE(report) << probe.output;
  EXPECT_TRUE(report->passed);
  const Ran unset = run(agent_binary() + " probe --spec-env CHECKS --report -");
  EXPECT_EQ(unset.code, 2);
  EXPECT_EQ(unset.output, "atq-agent: environment variable CHECKS is not set\n");
}

}  // namespace
}  // namespace atq::agent::testing_support
