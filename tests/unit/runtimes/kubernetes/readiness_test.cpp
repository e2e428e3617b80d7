#include "src/runtimes/kubernetes/readiness.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace atq::kubernetes {
namespace {

api::HealthCheckItem tcp_check(int port) {
  return {.name = "c",
          .check = api::TcpCheck{port},
          .timeout_seconds = 3,
          .period_seconds = 4,
          .success_threshold = 2};
}
api::FrozenSpec with_master() {
  api::FrozenSpec frozen;
  frozen.spec.master.emplace();
  return frozen;
}

TEST(Readiness, NothingAskedForNeedsNothing) {
  const auto plan = plan_readiness(with_master());
  EXPECT_EQ(plan, ReadinessPlan{});
  EXPECT_TRUE(native_probe(plan).is_null());
}

TEST(Readiness, OneCheckIsOneNativeProbe) {
  auto frozen = with_master();
  frozen.spec.health_check.checks = {tcp_check(1099)};
  const auto plan = plan_readiness(frozen);
  EXPECT_TRUE(plan.check_by_container);
  EXPECT_FALSE(plan.readiness_by_container);
  EXPECT_FALSE(plan.needs_probe_job);
  const auto probe = native_probe(plan);
  EXPECT_EQ(probe["tcpSocket"]["port"], 1099);
  EXPECT_EQ(probe["timeoutSeconds"], 3);
  EXPECT_EQ(probe["periodSeconds"], 4);
  EXPECT_EQ(probe["successThreshold"], 2);

  // JMeter's: readiness and check of the same port.
  frozen.spec.worker.readiness = api::Readiness{.tcp_port = 1099, .http_get = {}, .log = ""};
  EXPECT_TRUE(plan_readiness(frozen).check_by_container);
  EXPECT_TRUE(plan_readiness(frozen).readiness_by_container);
}

TEST(Readiness, WhatOneProbeCannotSayNeedsAProbeJob) {
  auto frozen = with_master();
  frozen.spec.worker.readiness = api::Readiness{.tcp_port = 80, .http_get = {}, .log = ""};
  frozen.spec.health_check.checks = {tcp_check(1099)};
  auto plan = plan_readiness(frozen);
  EXPECT_TRUE(plan.needs_probe_job);
  EXPECT_TRUE(plan.readiness_by_container);
  EXPECT_EQ(plan.tcp_port, 80);
  EXPECT_EQ(describe_readiness(plan), "tcp 80 not yet accepting");

  frozen = with_master();
  frozen.spec.health_check.checks = {tcp_check(1), tcp_check(2)};
  EXPECT_TRUE(plan_readiness(frozen).needs_probe_job);
  frozen.spec.health_check.checks = {tcp_check(1)};
  frozen.spec.health_check.checks[0].check = api::HttpCheck{.port = 80, .path = "/", .status = 204};
  EXPECT_TRUE(plan_readiness(frozen).needs_probe_job);
  frozen.spec.health_check.checks[0].check = api::HttpCheck{.port = 80, .path = "/up"};
  EXPECT_EQ(native_probe(plan_readiness(frozen))["httpGet"]["path"], "/up");
  frozen.spec.health_check.checks[0].check = api::UdpCheck{.port = 53};
  EXPECT_TRUE(plan_readiness(frozen).needs_probe_job);
}

TEST(Readiness, OfTheLogIsTheAgents) {
  auto frozen = with_master();
  frozen.spec.worker.role.ports = {{.name = "x", .port = 7077}};
  frozen.spec.worker.readiness = api::Readiness{.tcp_port = 0, .http_get = {}, .log = "up"};
  const auto plan = plan_readiness(frozen);
  EXPECT_EQ(plan.agent_port, 7078);
  EXPECT_EQ(native_probe(plan)["httpGet"]["port"], 7078);
  EXPECT_EQ(describe_readiness(plan), "its output does not match /up/ yet");
}

TEST(Readiness, MasterlessWorkersWaitForTheirStart) {
  api::FrozenSpec frozen;
  frozen.spec.worker.readiness = api::Readiness{.tcp_port = 80, .http_get = {}, .log = ""};
  frozen.spec.health_check.checks = {tcp_check(80)};
  const auto plan = plan_readiness(frozen);
  EXPECT_NE(plan.agent_port, 0);
  EXPECT_FALSE(plan.has_probe());
  EXPECT_TRUE(plan.needs_probe_job);
}

}  // namespace
}  // namespace atq::kubernetes
