// How a tool starts and ends under the agent.

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/integration/agent/harness.hpp"

namespace atq::agent::testing_support {
namespace {

using AgentExec = AgentTest;

TEST_F(AgentExec, PassesTheExitCodeAndKeepsTheOutput) {
  set_script("echo out; echo err >&2; exit 7");
  EXPECT_EQ(run_replica(), 7);
  EXPECT_EQ(record().code, 7);
  EXPECT_EQ(record().signal, 0);
  EXPECT_EQ(record().error, "");
  EXPECT_EQ(text("stdout.log"), "out\n");
  EXPECT_EQ(text("stderr.log"), "err\n");
  const auto lines = record().last_lines;
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()),
            (std::set<std::string>{"out", "err"}));
  EXPECT_TRUE(read_started(folder));
  EXPECT_FALSE(is_alive(folder));
}

TEST_F(AgentExec, ASignalOfTheToolIsRecorded) {
  set_script("kill -SEGV $$");
  EXPECT_EQ(run_replica(), 128 + SIGSEGV);
  EXPECT_EQ(record().code, 128 + SIGSEGV);
  EXPECT_EQ(record().signal, SIGSEGV);
}

TEST_F(AgentExec, ResourceUseIsRecorded) {
  set_script("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
  EXPECT_EQ(run_replica(), 0);
  EXPECT_GT(record().user_us, 0);
  EXPECT_GE(record().ran_for_us, record().user_us / 2);
  EXPECT_GT(record().max_rss_kib, 100);
}

TEST_F(AgentExec, TheEnvironmentIsExactlyTheSpecs) {
  ::setenv("ATQ_TEST_LEAK", "1", 1);
  spec.command = {"env"};
  spec.environment["ATQ_ROLE"] = "worker";
  EXPECT_EQ(run_replica(), 0);
  ::unsetenv("ATQ_TEST_LEAK");
  EXPECT_EQ(text("stdout.log"), "ATQ_ROLE=worker\nPATH=/usr/local/bin:/usr/bin:/bin\n");
}

TEST_F(AgentExec, VariablesAreExpandedInCommandAndArguments) {
  spec.environment["NAME"] = "world";
  spec.environment["TOOL"] = "echo";
  spec.command = {"$(TOOL)", "$(NAME)", "$$(NAME)", "$(OTHER)"};
  EXPECT_EQ(run_replica(), 0);
  EXPECT_EQ(text("stdout.log"), "world $(NAME) $(OTHER)\n");
}

TEST_F(AgentExec, WorkIsTheDefaultFolderAndAnotherCanBeNamed) {
  spec.command = {"pwd"};
  EXPECT_EQ(run_replica(), 0);
  EXPECT_EQ(text("stdout.log"), folder + "/work\n");
  TearDown();
  SetUp();
  spec.command = {"pwd"};
  spec.working_dir = "/usr";
  EXPECT_EQ(run_replica(), 0);
  EXPECT_EQ(text("stdout.log"), "/usr\n");
}

TEST_F(AgentExec, ATerminalIsGivenWhereAskedFor) {
  spec.tty = true;
  set_script("test -t 0 && test -t 1 && test -t 2 && echo yes");
  EXPECT_EQ(run_replica(), 0);
  EXPECT_EQ(text("stdout.log"), "yes\r\n");
  EXPECT_EQ(record().last_lines, std::vector<std::string>{"yes"});
}

TEST_F(AgentExec, NoDescriptorButTheStandardOnesReachesTheTool) {
  set_script("ls /proc/self/fd");
  EXPECT_EQ(run_replica(), 0);
  EXPECT_EQ(text("stdout.log"), "0\n1\n2\n3\n");  // 3 is ls looking
}

TEST_F(AgentExec, SignalsAreNeitherBlockedNorIgnoredInTheTool) {
  spec.command = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"};
  EXPECT_EQ(run_replica(), 0);
  EXPECT_EQ(text("stdout.log"), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

struct CannotStartCase {
  std::string name;
  std::vector<std::string> command;
  std::string error;
};

class AgentCannotStart : public AgentTest, public ::testing::WithParamInterface<CannotStartCase> {};

TEST_P(AgentCannotStart, SaysWhyAtOnce) {
  std::ofstream(folder + "/plain") << "text";
  std::ofstream(folder + "/noformat") << "text";
  std::ofstream(folder + "/nointerpreter") << "#!/no/such/interpreter\n";
  ::chmod((folder + "/plain").c_str(), 0644);
  ::chmod((folder + "/noformat").c_str(), 0755);
  ::chmod((folder + "/nointerpreter").c_str(), 0755);
  spec.environment["PATH"] = "/usr/bin:" + folder;
  spec.working_dir = folder;
  spec.command = GetParam().command;
  EXPECT_EQ(run_replica(), kCannotStart);
  EXPECT_EQ(record().code, kCannotStart);
  std::string expected = GetParam().error;
  for (size_t at; (at = expected.find("DIR")) != std::string::npos;) {
    expected.replace(at, 3, folder);
  }
  EXPECT_EQ(record().error, expected);
  EXPECT_FALSE(is_ready(folder));
}

INSTANTIATE_TEST_SUITE_P(
    All, AgentCannotStart,
    ::testing::Values(
        CannotStartCase{"Missing", {"locust"}, "locust: not found in PATH (/usr/bin:DIR)"},
        CannotStartCase{"MissingPath", {"./locust"}, "./locust: no such file"},
        CannotStartCase{
            "NotExecutable", {"plain"}, "plain: permission denied (DIR/plain is not executable)"},
        CannotStartCase{
            "NotExecutablePath", {"./plain"}, "./plain: permission denied (it is not executable)"},
        CannotStartCase{"Format",
                        {"noformat"},
                        "noformat: not executable: exec format error (DIR/noformat is neither a "
                        "program for this machine nor a script that begins with #!)"},
        CannotStartCase{"Interpreter",
                        {"nointerpreter"},
                        "nointerpreter: DIR/nointerpreter exists, but the interpreter or loader "
                        "it names does not"}),
    [](const auto& test) { return test.param.name; });

TEST_F(AgentExec, AMissingWorkingFolderIsNamed) {
  spec.command = {"true"};
  spec.working_dir = "/no/such/folder";
  EXPECT_EQ(run_replica(), kCannotStart);
  EXPECT_EQ(record().error, "working folder /no/such/folder: No such file or directory");
}

TEST_F(AgentExec, ABadReadinessPatternIsNamed) {
  spec.command = {"true"};
  spec.readiness.log_pattern = "a(";
  EXPECT_EQ(run_replica(), kCannotStart);
  EXPECT_TRUE(record().error.starts_with("readiness.log: \"a(\" is no regular expression"))
      << record().error;
}

TEST_F(AgentExec, ADamagedSpecIsRecorded) {
  std::ofstream(folder + "/replica.json") << "{\"command\": [";
  Process agent({agent_binary(), "exec", "--folder", folder});
  EXPECT_EQ(agent.wait(), kCannotStart);
  EXPECT_NE(record().error.find("replica.json: not valid JSON"), std::string::npos);
}

TEST_F(AgentExec, AMissingFolderIsAnError) {
  const Ran ran = run(agent_binary() + " exec --folder " + folder + "/none");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.output, "atq-agent: " + folder + "/none: No such file or directory\n");
}

TEST_F(AgentExec, EightAgentsAtOnceRunTheToolOnce) {
  for (int round = 0; round < 5; ++round) {
    set_script("echo run >> " + folder + "/runs");
    ASSERT_TRUE(write_replica_spec(folder, spec));
    std::vector<Process> agents;
    for (int i = 0; i < 8; ++i) {
      agents.emplace_back(std::vector<std::string>{agent_binary(), "exec", "--folder", folder});
    }
    int ran = 0, refused = 0;
    for (Process& agent : agents) {
      const int code = agent.wait();
      ran += code == 0 ? 1 : 0;
      refused += code == kAlreadyStarted ? 1 : 0;
    }
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(refused, 7);
    EXPECT_EQ(text("runs"), "run\n");
    TearDown();
    SetUp();
  }
}

TEST_F(AgentExec, AReplicaWhoseAgentDiedIsNeverStartedAgain) {
  set_script("echo run >> " + folder + "/runs; exec sleep 1000");
  Process first = start();
  ASSERT_TRUE(eventually([&] { return text("runs") == "run\n"; }));
  first.signal(SIGKILL);
  first.wait();
  EXPECT_FALSE(is_alive(folder));
  Process second({agent_binary(), "exec", "--folder", folder});
  EXPECT_EQ(second.wait(), kAlreadyStarted);
  EXPECT_EQ(text("runs"), "run\n");
  EXPECT_FALSE(read_exit(folder));
}

TEST_F(AgentExec, WaitsForItsReleaseAndCanBeFoundMeanwhile) {
  spec.wait_for_release = true;
  set_script("echo ran");
  Process agent = start();
  ASSERT_TRUE(eventually([&] { return is_alive(folder) && read_agent(folder); }));
  EXPECT_EQ(read_agent(folder)->pid, agent.pid());
  EXPECT_TRUE(is_running(*read_agent(folder)));
  EXPECT_EQ(read_started(folder).error().kind, ErrorKind::NotFound);
  ASSERT_TRUE(release(folder));
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(text("stdout.log"), "ran\n");
}

TEST_F(AgentExec, AReleaseThatCameFirstCounts) {
  spec.wait_for_release = true;
  set_script("echo ran");
  ASSERT_TRUE(release(folder));
  EXPECT_EQ(run_replica(), 0);
}

TEST_F(AgentExec, StoppedBeforeItsReleaseNothingRan) {
  spec.wait_for_release = true;
  set_script("echo ran");
  Process agent = start();
  ASSERT_TRUE(eventually([&] { return is_alive(folder) && read_agent(folder); }));
  agent.signal(SIGTERM);
  EXPECT_EQ(agent.wait(), kCannotStart);
  EXPECT_EQ(record().error, "stopped before it was released");
  EXPECT_FALSE(read_started(folder));
  ASSERT_TRUE(release(folder));
  Process second({agent_binary(), "exec", "--folder", folder});
  EXPECT_EQ(second.wait(), kAlreadyStarted);
}

TEST_F(AgentExec, WhatCannotStartDoesNotWaitForItsRelease) {
  spec.wait_for_release = true;
  spec.command = {"no-such-tool"};
  EXPECT_EQ(run_replica(), kCannotStart);
}

}  // namespace
}  // namespace atq::agent::testing_support
