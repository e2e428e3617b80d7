// Predicates and semantics over typed objects; whole documents are in tests/data.

#include <gtest/gtest.h>

#include "controller/api/quantity.hpp"
#include "controller/api/validation.hpp"

namespace atq::api {
namespace {

LoadTest plain() {
  LoadTest test;
  test.metadata.name = "checkout";
  test.spec.worker.role.command = {"./load"};
  return test;
}

/// "path [rule]" of each problem.
std::vector<std::string> places(const std::vector<Problem>& problems) {
  std::vector<std::string> out;
  for (const auto& problem : problems) {
    EXPECT_FALSE(problem.message.empty());
    out.push_back(problem.path + " [" + problem.rule + "]");
  }
  return out;
}
using Places = std::vector<std::string>;

TEST(Rules, APlainTestKeepsThem) {
  EXPECT_EQ(check_rules(plain()), std::vector<Problem>{});
  EXPECT_EQ(check_semantics(plain()), std::vector<Problem>{});
}

TEST(Rules, Deadlines) {
  auto test = plain();
  test.spec.load = {.warm_up_seconds = 5, .ramp_down_seconds = 4};
  test.spec.run_policy.active_deadline_seconds = 10;
  test.spec.health_check.delay_seconds = 599;
  EXPECT_EQ(places(check_rules(test)), Places{});
  test.spec.load.ramp_down_seconds = 5;
  test.spec.health_check.delay_seconds = 600;
  EXPECT_EQ(places(check_rules(test)),
            (Places{"spec.load [load-within-deadline]",
                    "spec.healthCheck.delaySeconds [delay-within-deadline]"}));
  test = plain();
  test.spec.load = {.warm_up_seconds = INT32_MAX, .ramp_down_seconds = INT32_MAX};
  EXPECT_EQ(places(check_rules(test)), Places{"spec.load [load-within-deadline]"});
}

TEST(Rules, FilesOfEveryRole) {
  auto test = plain();
  test.spec.files = {{.path = "ok/..hidden/x"}, {.path = "../x"}, {}};
  test.spec.worker.role.files = {{.config_map = "a", .path = "/etc/passwd"}};
  test.spec.master.emplace().files = {{.inline_files = {{"a/b", ""}, {"..", ""}, {"ok.txt", ""}}}};
  EXPECT_EQ(places(check_rules(test)),
            (Places{"spec.files[1].path [file-path-relative]", "spec.files[2] [files-one-source]",
                    "spec.worker.files[0] [files-one-source]",
                    "spec.worker.files[0].path [file-path-relative]",
                    "spec.master.files[0].inline... [file-name]",
                    "spec.master.files[0].inline.a/b [file-name]"}));
}

TEST(Rules, PathsThatLeaveTheFolder) {
  for (const auto* path : {"..", "a/..", "../a", "a/../b", "/", "/a", "//a"}) {
    auto test = plain();
    test.spec.files = {{.path = path}};
    EXPECT_EQ(places(check_rules(test)), Places{"spec.files[0].path [file-path-relative]"}) << path;
  }
  for (const auto* path : {"a", "./a", "a/b", "..a", "a..", "a/..b/c", "...", "a/./b"}) {
    auto test = plain();
    test.spec.files = {{.path = path}};
    EXPECT_EQ(places(check_rules(test)), Places{}) << path;
  }
}

TEST(Rules, EnvironmentPortsAndReadiness) {
  auto test = plain();
  test.spec.worker.role.env = {{.name = "ATQ_ROLE"}, {.name = "atq_role"}, {.name = "ATQX"}};
  test.spec.worker.role.ports = {{.name = "a", .port = 1, .published = 8080}};
  test.spec.worker.readiness = Readiness{.tcp_port = 1, .log = "x"};
  auto& master = test.spec.master.emplace();
  master.ports = {{.name = "a", .port = 1, .published = 8080}};
  master.env = {{.name = "WORKER_CSV_VIPS"},
                {.name = "A", .value = "x", .secret_key_ref = SecretKeyRef{"s", "k"}},
                {.name = "B", .value = "", .secret_key_ref = SecretKeyRef{"s", "k"}}};
  EXPECT_EQ(
      places(check_rules(test)),
      (Places{"spec.worker.env[0].name [env-reserved]",
              "spec.worker.ports[0].publishedPort [worker-ports-unpublished]",
              "spec.worker.readiness [readiness-at-most-one]",
              "spec.master.env[0].name [env-reserved]", "spec.master.env[1] [env-value-or-from]"}));
}

TEST(Rules, ParametersAndCleanup) {
  auto test = plain();
  test.spec.parameters = {{"ok_1.x-y", ""}, {"9", ""}, {"a b", ""}};
  test.spec.run_policy.cleanup_policy = CleanupPolicy::Never;
  test.spec.run_policy.cleanup_after_seconds = 1;
  EXPECT_EQ(places(check_rules(test)),
            (Places{"spec.parameters.9 [parameter-name]", "spec.parameters.a b [parameter-name]",
                    "spec.runPolicy.cleanup.afterSeconds [cleanup-never-after]"}));
}

TEST(Semantics, PatternsThresholdsAndNumbers) {
  auto test = plain();
  test.spec.thresholds = {"p95(latency) < 5", "count(failures) < 5", "count(failures)<5"};
  test.spec.worker.readiness = Readiness{.log = "("};
  test.spec.worker.role.resources = {.requests = {{"cpu", "2"}}, .limits = {{"cpu", "1999m"}}};
  test.spec.health_check.checks = {{.name = "a", .check = UdpCheck{.port = 1, .expect = "["}}};
  EXPECT_EQ(places(check_semantics(test)),
            (Places{"spec.thresholds[0] [semantic]", "spec.thresholds[2] [semantic]",
                    "spec.worker.readiness.log [semantic]",
                    "spec.healthCheck.checks[0].udp.expect [semantic]",
                    "spec.worker.resources.requests.cpu [semantic]"}));
}

TEST(Semantics, SubnetsHaveRoom) {
  auto test = plain();
  test.spec.worker.replicas = 10;
  test.spec.swarm.subnet = "10.0.0.0/28";  // 14 addresses
  EXPECT_EQ(places(check_semantics(test)), Places{});
  test.spec.worker.replicas = 11;
  EXPECT_EQ(places(check_semantics(test)), Places{"spec.swarm.subnet [semantic]"});
}

TEST(Quantity, ReadsWhatKubernetesReads) {
  EXPECT_EQ(parse_quantity("500m"), 0.5);
  EXPECT_EQ(parse_quantity("2"), 2);
  EXPECT_EQ(parse_quantity("1.5Gi"), 1.5 * 1024 * 1024 * 1024);
  EXPECT_EQ(parse_quantity("1e3"), 1000);
  EXPECT_EQ(parse_quantity("2E"), 2e18);
  EXPECT_EQ(parse_quantity("64Mi"), 64.0 * 1024 * 1024);
  for (const auto* text : {"", "m", "-1", "+1", "64MB", "1 Gi", "0x10", "inf", "nan", "1e999"}) {
    EXPECT_EQ(parse_quantity(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace atq::api
