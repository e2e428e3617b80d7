// What becomes of a tool's output, and readiness.

#include <sys/stat.h>

#include "tests/integration/agent/harness.hpp"
#include "tests/integration/agent/sockets.hpp"

namespace atq::agent::testing_support {
namespace {

using AgentOutput = AgentTest;
using AgentReadiness = AgentTest;

TEST_F(AgentOutput, LogsAreBoundedAndTheEndIsKept) {
  spec.max_log_bytes = 10'000;
  set_script("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done");
  EXPECT_EQ(run_replica(), 0);
  const std::string log = text("stdout.log"), old = text("stdout.log.1");
  EXPECT_LE(log.size(), 10'000U);
  EXPECT_EQ(old.size(), 10'000U);
  EXPECT_TRUE((old + log).ends_with("line 4998\nline 4999\n"));
  const auto lines = record().last_lines;
  ASSERT_EQ(lines.size(), 20U);
  EXPECT_EQ(lines.front(), "line 4980");
  EXPECT_EQ(lines.back(), "line 4999");
}

TEST_F(AgentOutput, AHundredMegabytesAreTakenInAndBounded) {
  spec.max_log_bytes = 1 << 20;
  set_script("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end");
  EXPECT_EQ(run_replica(), 0);
  EXPECT_LE(text("stdout.log").size(), size_t{1} << 20);
  EXPECT_LE(text("stdout.log.1").size(), size_t{1} << 20);
  EXPECT_EQ(record().last_lines.back(), "end");
  EXPECT_LE(record().last_lines.front().size(), 400U);
}

TEST_F(AgentOutput, BinaryJunkIsKeptInTheLogAndPrintableInTheRecord) {
  set_script("head -c 300000 /dev/urandom; printf '\\n\\033[31mred\\033[0m \\377\\n'");
  EXPECT_EQ(run_replica(), 0);
  EXPECT_GE(text("stdout.log").size(), 300'000U);
  EXPECT_EQ(record().last_lines.back(), "red \xEF\xBF\xBD");
  for (const std::string& line : record().last_lines) EXPECT_LE(line.size(), 400U);
}

TEST_F(AgentOutput, ALineWithoutItsEndCounts) {
  set_script("printf 'no line end'");
  EXPECT_EQ(run_replica(), 0);
  EXPECT_EQ(record().last_lines, std::vector<std::string>{"no line end"});
}

TEST_F(AgentOutput, AFullDiskStopsNeitherToolNorAgent) {
  std::filesystem::create_symlink("/dev/full", folder + "/stdout.log");
  set_script("i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; exit 3");
  EXPECT_EQ(run_replica(), 3);
  EXPECT_EQ(record().last_lines.back(), "line 999");
}

TEST_F(AgentReadiness, DefaultIsThatTheToolHasStarted) {
  set_script("echo $$; exec sleep 1000");
  Process agent = start();
  EXPECT_TRUE(await_ready());
  agent.signal(SIGINT);
  EXPECT_EQ(agent.wait(), 137);
}

TEST_F(AgentReadiness, ALogLineOfEitherStreamMakesItReady) {
  spec.readiness.log_pattern = "^Bound to .* port [0-9]+$";
  set_script(
      "echo 'not Bound to RMI port 1'; while [ ! -e ../go ]; do sleep 0.01; done; "
      "printf 'Bound to RMI ' >&2; printf 'registry on port 1099\\n' >&2; exec sleep 1000");
  Process agent = start();
  ASSERT_TRUE(eventually([&] { return !text("stdout.log").empty(); }));
  EXPECT_FALSE(is_ready(folder));
  std::ofstream(folder + "/go") << "";
  EXPECT_TRUE(await_ready());
  agent.signal(SIGINT);
  agent.wait();
}

TEST_F(AgentReadiness, APortThatOpensLateMakesItReady) {
  const int port = port_of(bind_to("127.77.3.2", SOCK_STREAM));
  spec.address = "127.77.3.2";
  spec.readiness.tcp_port = port;
  set_script("echo $$; exec sleep 1000");
  Process agent = start();
  await_pid();
  EXPECT_FALSE(is_ready(folder));
  TcpServer server([](int, const std::stop_token&) {}, "127.77.3.2", port);
  EXPECT_TRUE(await_ready());
  agent.signal(SIGINT);
  agent.wait();
}

TEST_F(AgentReadiness, AnHttpPageMustAnswerWell) {
  std::atomic<bool> well = false;
  TcpServer server([&](int fd, const std::stop_token& stop) {
    answer_with(well ? "HTTP/1.1 204 No Content\r\n\r\n" : "HTTP/1.1 503 Wait\r\n\r\n")(fd, stop);
  });
  spec.readiness.http_port = server.port();
  spec.readiness.http_path = "/health";
  set_script("echo $$; exec sleep 1000");
  Process agent = start();
  ASSERT_TRUE(eventually([&] { return server.accepted() >= 3; }));
  EXPECT_FALSE(is_ready(folder));
  well = true;
  EXPECT_TRUE(await_ready());
  agent.signal(SIGINT);
  agent.wait();
}

TEST_F(AgentReadiness, AToolThatEndsFirstIsNeverReady) {
  spec.readiness.log_pattern = "never";
  set_script("exit 1");
  EXPECT_EQ(run_replica(), 1);
  EXPECT_FALSE(is_ready(folder));
}

}  // namespace
}  // namespace atq::agent::testing_support
