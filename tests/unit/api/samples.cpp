#include "tests/unit/api/samples.hpp"

namespace atq::api::samples {
namespace {

using std::chrono::milliseconds;

TimePoint at(int64_t offset_ms) { return TimePoint{milliseconds{1'795'240'000'000 + offset_ms}}; }

RoleSpec role(const std::string& name) {
  RoleSpec role;
  role.image = name + ":1.2@sha256:abc";
  role.command = {"sh", "-c", "echo \"$(ATQ_PLAN)\"\n\tdone"};
  role.args = {"--flag", "", "0777"};
  role.env = {{.name = "PLAIN", .value = "yes"},
              {.name = "SECRET",
               .value = "",
               .secret_key_ref = SecretKeyRef{.name = "credentials", .key = "token"}},
              {.name = "EMPTY", .value = ""}};
  role.working_dir = "/srv/" + name;
  role.ports = {{.name = "rmi", .port = 1099},
                {.name = "dns", .port = 53, .protocol = Protocol::Udp, .published = 30053}};
  role.resources.requests = {{"cpu", "500m"}, {"memory", "64Mi"}};
  role.resources.limits = {{"cpu", "1"}};
  role.tty = true;
  role.files = {{.inline_files = {{"a.txt", "text of " + name}}}};
  return role;
}

std::vector<FileSource> files() {
  return {{.inline_files = {{"plan.jmx", "<a>\n  \"q\\\" &amp; äöü €\n</a>\n"}, {"b", ""}}},
          {.config_map = "plans"},
          {.secret = "keys"},
          {.databind = "f00d"},
          {.path = "./data/users.csv"}};
}

HealthCheckSpec health() {
  HealthCheckSpec health;
  health.delay_seconds = 5;
  health.checks = {
      {.name = "rmi", .check = TcpCheck{1099}, .timeout_seconds = 3, .success_threshold = 2},
      {.name = "dns", .check = UdpCheck{53, "ping", "pong.*"}, .period_seconds = 4},
      {.name = "web", .check = HttpCheck{8080, "/ready", 204, "ok|fine"}},
      {.name = "warm",
       .check = ExecCheck{.image = "busybox", .command = {"sh"}, .exit_code = 3, .output = "^up"},
       .timeout_seconds = 20}};
  return health;
}

LoadTestSpec spec() {
  LoadTestSpec spec;
  spec.tool = "jmeter";
  spec.runtime = "swarm-east";
  spec.parameters = {{"host", "shop.internal"}, {"threads", "50"}};
  spec.load = {.warm_up_seconds = 10, .ramp_down_seconds = 4};
  spec.files = files();
  spec.worker = {.role = role("worker"), .replicas = 3, .on_failure = OnFailure::Ignore};
  spec.worker.readiness = Readiness{.tcp_port = 1099,
                                    .http_get = HttpGet{.port = 8080, .path = "/r"},
                                    .log = "ready \\d+",
                                    .running = true};
  spec.health_check = health();
  spec.master = role("master");
  spec.thresholds = {"p95(latency) < 500ms", "ratio(failures) <= 1% over every 10s"};
  spec.run_nonce = "1";
  spec.run_policy = {.suspend = true,
                     .startup_deadline_seconds = 601,
                     .active_deadline_seconds = 7201,
                     .collect_deadline_seconds = 121,
                     .stop_grace_seconds = 0,
                     .cleanup_policy = CleanupPolicy::Never,
                     .cleanup_after_seconds = 9};
  spec.kubernetes = {.worker_pod_template = R"({"spec":{"nodeSelector":{"a":"b"}}})",
                     .master_pod_template = R"({"metadata":{}})",
                     .service_account_name = "tester",
                     .image_pull_secrets = {"registry", "other"},
                     .topology_spread_constraints = R"([{"maxSkew":1}])"};
  spec.swarm = {.constraints = {"node.role==worker"}, .encrypted = true, .subnet = "10.9.0.0/24"};
  spec.process = {.network_namespace = true};
  return spec;
}

}  // namespace

LoadTestStatus status() {
  LoadTestStatus status;
  status.observed_generation = 7;
  status.phase = Phase::HealthCheck;
  status.verdict = Verdict::Aborted;
  status.reason = "WorkerNotReady";
  status.message = "worker 1: tcp 1099 refused (3 of 3 tries)";
  status.run = {.number = 4,
                .nonce = "1",
                .rerun_token = "again",
                .spec_hash = "0123456789abcdef",
                .queued_at = at(1),
                .started_at = at(20),
                .workers_ready_at = at(300),
                .checks_passed_at = at(4000),
                .master_started_at = at(50'000),
                .collecting_at = at(600'000),
                .finished_at = at(7'000'000),
                .stop_request = "4/Graceful",
                .stop_requested_at = at(555'555)};
  status.workers = {.desired = 3,
                    .discovered = 3,
                    .ready = 2,
                    .lost = 1,
                    .addresses = {"10.0.1.4", "10.0.1.5", "10.0.1.6"}};
  status.start_skew_microseconds = 3100;
  status.summary = Summary{.final = true,
                           .workers_reporting = 3,
                           .requests = 123456,
                           .failures = 12,
                           .requests_per_second = "1535.9",
                           .latency = {.p50 = 1000, .p95 = 181'000, .p99 = 250'000, .max = 0}};
  status.thresholds = {
      {.expr = "p95(latency) < 500ms", .value = "181ms", .verdict = ThresholdVerdict::Pass},
      {.expr = "rps >= 100", .value = "", .verdict = ThresholdVerdict::Warn}};
  status.artifacts = {{.name = "report.html", .url = "http://127.0.0.1/r", .sha256 = "ab"}};
  status.history = {{.number = 3, .verdict = Verdict::Passed, .finished_at = at(-9000)},
                    {.number = 2, .verdict = Verdict::NoData, .finished_at = at(-90'000)}};
  for (size_t i = 0; i < kConditionCount; ++i) {
    status.conditions.push_back({.type = static_cast<ConditionType>(i),
                                 .status = static_cast<ConditionStatus>(i % 3),
                                 .observed_generation = 7,
                                 .last_transition_time = at(static_cast<int64_t>(i)),
                                 .reason = "Reason" + std::to_string(i),
                                 .message = "message " + std::to_string(i)});
  }
  return status;
}

LoadTest full() {
  LoadTest test;
  test.metadata = {.name = "checkout",
                   .ns = "shop",
                   .uid = "6f1c",
                   .resource_version = "41",
                   .generation = 7,
                   .labels = {{"app.kubernetes.io/name", "checkout"}, {"team", "no"}},
                   .annotations = {{std::string(kStopAnnotation), "4/Graceful"}},
                   .creation_timestamp = at(0),
                   .deletion_timestamp = at(99),
                   .finalizers = {"atq.dev/run"}};
  test.spec = spec();
  test.status = status();
  return test;
}

}  // namespace atq::api::samples
