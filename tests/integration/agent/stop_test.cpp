// How a tool and everything below it are ended.

#include "tests/integration/agent/harness.hpp"
#include "tests/integration/agent/sockets.hpp"

namespace atq::agent::testing_support {
namespace {

using AgentStop = AgentTest;

TEST_F(AgentStop, TermReachesTheToolWhichEndsInItsOwnWay) {
  set_script("trap 'echo bye; exit 3' TERM; echo $$; while :; do sleep 0.01; done");
  Process agent = start();
  await_pid();
  agent.signal(SIGTERM);
  EXPECT_EQ(agent.wait(), 3);
  // The shell may say "Terminated" of its sleep besides.
  EXPECT_TRUE(text("stdout.log").ends_with("bye\n"));
}

TEST_F(AgentStop, AToolThatIgnoresTermIsKilledAfterItsGrace) {
  spec.grace_ms = 300;
  set_script("trap '' TERM; echo $$; while :; do sleep 0.01; done");
  Process agent = start();
  const int tool = await_pid();
  const auto began = std::chrono::steady_clock::now();
  agent.signal(SIGTERM);
  EXPECT_EQ(agent.wait(), 128 + SIGKILL);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 300ms);
  EXPECT_EQ(record().signal, SIGKILL);
  EXPECT_FALSE(is_live(tool));
}

TEST_F(AgentStop, ASecondTermKillsAtOnce) {
  spec.grace_ms = 600'000;
  set_script("trap 'echo asked' TERM; echo $$; while :; do sleep 0.01; done");
  Process agent = start();
  await_pid();
  agent.signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return text("stdout.log").ends_with("asked\n"); }));
  agent.signal(SIGTERM);
  EXPECT_EQ(agent.wait(), 128 + SIGKILL);
}

TEST_F(AgentStop, IntKillsTheWholeTreeAtOnce) {
  spec.grace_ms = 600'000;
  set_script("trap '' TERM INT; setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done'");
  Process agent = start();
  const int grandchild = await_pid();
  agent.signal(SIGINT);
  EXPECT_EQ(agent.wait(), 128 + SIGKILL);
  EXPECT_FALSE(is_live(grandchild));
}

TEST_F(AgentStop, WhatTheToolLeavesBehindIsEndedBeforeTheRecord) {
  // A daemon as they are made: a session of its own, its parent gone, TERM ignored.
  set_script(
      "(setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' &); "
      "while [ ! -s ../stdout.log ]; do sleep 0.01; done; exit 5");
  Process agent = start();
  const int daemon = await_pid();
  EXPECT_EQ(agent.wait(), 5);
  EXPECT_FALSE(is_live(daemon));
  EXPECT_EQ(record().code, 5);
}

TEST_F(AgentStop, APoliteLeftoverGetsItsTerm) {
  set_script(
      "(setsid sh -c 'trap \"echo leftover; exit\" TERM; echo $$; while :; do sleep 0.01; done' "
      "&); "
      "while [ ! -s ../stdout.log ]; do sleep 0.01; done");
  EXPECT_EQ(run_replica(), 0);
  EXPECT_TRUE(text("stdout.log").ends_with("leftover\n")) << text("stdout.log");
}

TEST_F(AgentStop, AToolThatClosesItsOutputRunsOn) {
  set_script("exec >&- 2>&-; touch ../closed; while [ ! -e ../go ]; do sleep 0.01; done; exit 4");
  Process agent = start();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder + "/closed"); }));
  EXPECT_TRUE(is_alive(folder));
  std::ofstream(folder + "/go") << "";
  EXPECT_EQ(agent.wait(), 4);
}

TEST_F(AgentStop, ADeadAgentTakesTheToolWithIt) {
  set_script("echo $$; exec sleep 1000");
  Process agent = start();
  const int tool = await_pid();
  ASSERT_TRUE(is_live(tool));
  agent.signal(SIGKILL);
  EXPECT_EQ(agent.wait(), 128 + SIGKILL);
  EXPECT_TRUE(eventually([&] { return !is_live(tool); }));
  EXPECT_FALSE(is_alive(folder));
}

TEST_F(AgentStop, DieWithParentStopsWhenTheParentIsKilled) {
  spec.die_with_parent = true;
  set_script("trap 'exit 9' TERM; echo $$; while :; do sleep 0.01; done");
  ASSERT_TRUE(write_replica_spec(folder, spec));
  Process parent({"/bin/sh", "-c", agent_binary() + " exec --folder " + folder + " & wait"});
  await_pid();
  parent.signal(SIGKILL);
  parent.wait();
  ASSERT_TRUE(eventually([&] { return read_exit(folder).has_value(); }));
  EXPECT_EQ(record().code, 9);
  EXPECT_TRUE(eventually([&] { return !is_alive(folder); }));
}

TEST_F(AgentStop, DieWithParentSeesAParentThatIsGoneAlready) {
  spec.die_with_parent = true;
  spec.wait_for_release = true;
  spec.command = {"true"};
  ASSERT_TRUE(write_replica_spec(folder, spec));
  Process gone({"/bin/true"});
  const std::string parent = std::to_string(gone.pid());
  gone.wait();
  Process agent({agent_binary(), "exec", "--folder", folder, "--parent", parent});
  EXPECT_EQ(agent.wait(), kCannotStart);
  EXPECT_EQ(record().error, "stopped before it was released");
}

TEST_F(AgentStop, WithoutDieWithParentItLivesOn) {
  set_script("echo $$; while [ ! -e ../go ]; do sleep 0.01; done; exit 6");
  ASSERT_TRUE(write_replica_spec(folder, spec));
  Process parent({"/bin/sh", "-c", agent_binary() + " exec --folder " + folder + " & wait"});
  await_pid();
  parent.signal(SIGKILL);
  parent.wait();
  EXPECT_TRUE(is_alive(folder));
  std::ofstream(folder + "/go") << "";
  ASSERT_TRUE(eventually([&] { return read_exit(folder).has_value(); }));
  EXPECT_EQ(record().code, 6);
}

TEST_F(AgentStop, TheGracefulDatagramComesFirstAndTermAtHalfTheGrace) {
  UdpSocket tool("127.77.3.1");
  spec.address = "127.77.3.1";
  spec.stop = {.udp_port = tool.port(), .graceful = "Shutdown", .now = "StopTestNow"};
  spec.grace_ms = 400;
  set_script("trap 'exit 8' TERM; echo $$; while :; do sleep 0.01; done");
  Process agent = start();
  await_pid();
  const auto began = std::chrono::steady_clock::now();
  agent.signal(SIGTERM);
  EXPECT_EQ(tool.receive(), "Shutdown");
  EXPECT_EQ(agent.wait(), 8);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 200ms);
}

TEST_F(AgentStop, ADatagramThatEndsTheToolSparesItTheTerm) {
  UdpSocket tool("127.77.3.1");
  spec.address = "127.77.3.1";
  spec.stop = {.udp_port = tool.port(), .graceful = "Shutdown"};
  spec.grace_ms = 600'000;
  set_script("trap 'exit 8' TERM; echo $$; while [ ! -e ../go ]; do sleep 0.01; done; exit 2");
  Process agent = start();
  await_pid();
  agent.signal(SIGTERM);
  EXPECT_EQ(tool.receive(), "Shutdown");
  std::ofstream(folder + "/go") << "";
  EXPECT_EQ(agent.wait(), 2);
}

TEST_F(AgentStop, NowSendsItsDatagramAndKillsSoonAfter) {
  UdpSocket tool("127.77.3.1");
  spec.address = "127.77.3.1";
  spec.stop = {.udp_port = tool.port(), .graceful = "Shutdown", .now = "StopTestNow"};
  spec.grace_ms = 300;
  set_script("trap '' TERM; echo $$; while :; do sleep 0.01; done");
  Process agent = start();
  await_pid();
  agent.signal(SIGINT);
  EXPECT_EQ(tool.receive(), "StopTestNow");
  EXPECT_EQ(agent.wait(), 128 + SIGKILL);
}

}  // namespace
}  // namespace atq::agent::testing_support
