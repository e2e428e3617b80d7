#include "src/runtimes/process/launch.hpp"

#include <gtest/gtest.h>

namespace atq::process {
namespace {

class LaunchTest : public ::testing::Test {
 protected:
  LaunchTest() {
    auto& spec = frozen_.spec;
    spec.worker.replicas = 2;
    spec.worker.role.command = {"tool", "$(ATQ_ADDRESS)"};
    spec.worker.role.args = {"--go"};
    spec.worker.role.env = {{.name = "A", .value = "$(ATQ_RUN)"}, {.name = "B", .value = "$(A)!"}};
    spec.worker.readiness = api::Readiness{.tcp_port = 1099};
    spec.master.emplace();
    spec.master->command = {"tool"};
    spec.master->env = {{.name = "REMOTES", .value = "mine"}};
    spec.run_policy.stop_grace_seconds = 7;
    frozen_.master_stop = {.udp_port = "control", .graceful = "Shutdown", .now = "StopTestNow"};
    record_.id = {"uid", 4};
    record_.key = {"default", "checkout"};
    record_.workers = {{"127.77.0.1", {{"rmi-port", 1099, 20001, false}}},
                       {"127.77.0.2", {{"rmi-port", 1099, 20002, false}}}};
    record_.master = Place{"127.77.0.3", {{"control", 4445, 20010, true}}};
  }

  LaunchContext context() const {
    return {.frozen = frozen_,
            .record = record_,
            .folder = {"/data/runs/uid/4"},
            .inherited = {{"PATH", "/bin"}}};
  }

  api::FrozenSpec frozen_;
  RunRecord record_;
};

TEST_F(LaunchTest, AWorkerKnowsItselfItsPortsAndItsMaster) {
  const auto spec = replica_spec(context(), core::Role::Worker, 1);
  EXPECT_EQ(spec.command, (std::vector<std::string>{"tool", "$(ATQ_ADDRESS)", "--go"}));
  EXPECT_EQ(spec.environment.at("ATQ_ADDRESS"), "127.77.0.2");
  EXPECT_EQ(spec.environment.at("ATQ_PORT_RMI_PORT"), "20002");
  EXPECT_EQ(spec.environment.at("ATQ_MASTER_HOST"), "127.77.0.3");
  EXPECT_EQ(spec.environment.at("ATQ_MASTER_PORT_CONTROL"), "20010");
  EXPECT_EQ(spec.environment.at("B"), "4!");
  EXPECT_EQ(spec.readiness.tcp_port, 20002);
  EXPECT_EQ(spec.working_dir, "/data/runs/uid/4/worker-1/data/");
  EXPECT_EQ(spec.grace_ms, 7000);
  EXPECT_FALSE(spec.wait_for_release);
  EXPECT_EQ(spec.stop.udp_port, 0);
}

TEST_F(LaunchTest, AMasterKnowsItsWorkersAndTheUserHasTheLastWord) {
  const auto spec = replica_spec(context(), core::Role::Master, 0);
  EXPECT_EQ(spec.environment.at("WORKER_CSV_VIPS"), "127.77.0.1,127.77.0.2");
  EXPECT_EQ(spec.environment.at("REMOTES"), "mine");
  EXPECT_EQ(spec.environment.at("ATQ_WORKER_ENDPOINTS"), "127.77.0.1:20001,127.77.0.2:20002");
  EXPECT_EQ(spec.environment.count("ATQ_WORKER_INDEX"), 0U);
  EXPECT_EQ(spec.stop.udp_port, 20010);
  EXPECT_EQ(spec.stop.graceful, "Shutdown");
}

TEST_F(LaunchTest, WorkersWithoutAMasterWait) {
  frozen_.spec.master.reset();
  record_.master.reset();
  const auto spec = replica_spec(context(), core::Role::Worker, 0);
  EXPECT_TRUE(spec.wait_for_release);
  EXPECT_EQ(spec.environment.count("ATQ_MASTER_HOST"), 0U);
}

TEST_F(LaunchTest, ChecksGoToEachWorkersRealPort) {
  frozen_.spec.health_check.checks = {
      {.name = "rmi", .check = api::TcpCheck{1099}},
      {.name = "warm",
       .check = api::ExecCheck{.command = {"curl", "$(ATQ_WORKER_ADDRESS)"}, .exit_code = 3}}};
  const auto targets = probe_targets(context());
  ASSERT_EQ(targets.size(), 4U);
  EXPECT_EQ(targets[1].host, "127.77.0.2");
  EXPECT_EQ(targets[1].port, 20002);
  EXPECT_EQ(targets[3].command, (std::vector<std::string>{"curl", "127.77.0.2"}));
  EXPECT_EQ(targets[3].environment.at("ATQ_WORKER_INDEX"), "1");
  EXPECT_EQ(targets[3].exit_code, 3);
}

TEST_F(LaunchTest, ARecordReadsBackAsItWasWritten) {
  record_.frozen = "{\"x\":1}";
  record_.allocated_ports = true;
  EXPECT_EQ(decode_run_record(encode(record_)), record_);
  EXPECT_EQ(decode_run_record("{\"uid\": 7}").error().kind, ErrorKind::Invalid);
  EXPECT_EQ(decode_run_record("").error().kind, ErrorKind::Invalid);
}

TEST(RunRecord, NamesThatLeaveTheFolderAreUnsafe) {
  EXPECT_TRUE(is_safe_name("3f0e-77"));
  for (const char* name : {"", ".", "..", "a/b", "../x", "a b", "\x01"}) {
    EXPECT_FALSE(is_safe_name(name)) << name;
  }
  EXPECT_FALSE(is_safe_name(std::string(201, 'a')));
}

}  // namespace
}  // namespace atq::process
