#include "controller/api/profile.hpp"

#include <gtest/gtest.h>

#include "src/base/text.hpp"
#include "tests/unit/api/samples.hpp"

namespace atq::api {
namespace {

LoadTestSpec spec_of(const std::string& tool, const std::string& plan) {
  LoadTestSpec spec;
  spec.tool = tool;
  if (!plan.empty()) spec.files = {{.inline_files = {{plan, "text"}}}};
  spec.worker.replicas = 3;
  return spec;
}

std::string command_line(const RoleSpec& role) {
  return join(role.command, " ") + " " + join(role.args, " ");
}

std::map<std::string, std::string> environment(const RoleSpec& role) {
  std::map<std::string, std::string> out;
  for (const EnvVar& variable : role.env) {
    EXPECT_TRUE(out.emplace(variable.name, variable.value).second) << variable.name << " twice";
  }
  return out;
}

TEST(Profiles, BuiltInOnesAreThere) {
  const auto& profiles = builtin_profiles();
  EXPECT_EQ(profiles.size(), 3U);
  for (const auto& [name, profile] : profiles) EXPECT_EQ(profile.tool, name);
  EXPECT_TRUE(profiles.at("jmeter").allocate_ports);
  EXPECT_FALSE(profiles.at("custom").master);
}

TEST(Resolve, LocustNeedsOnlyItsPlanAndReplicas) {
  LoadTestSpec spec = spec_of("locust", "shop.py");
  spec.parameters = {{"users", "6"}, {"runTime", "4s"}, {"page", "/a b"}};
  const Resolved resolved = resolve(spec);
  EXPECT_EQ(to_string(resolved.problems), "");
  const FrozenSpec& frozen = resolved.frozen;
  EXPECT_EQ(frozen.plan, "shop.py");
  EXPECT_EQ(command_line(frozen.spec.worker.role),
            "locust -f $(ATQ_PLAN) --worker --master-host $(ATQ_MASTER_HOST) --master-port "
            "$(ATQ_MASTER_PORT_MASTER)");
  ASSERT_TRUE(frozen.spec.master);
  EXPECT_EQ(command_line(*frozen.spec.master),
            "locust -f $(ATQ_PLAN) --master --headless --master-bind-host $(ATQ_ADDRESS) "
            "--master-bind-port $(ATQ_PORT_MASTER) --expect-workers $(ATQ_WORKER_COUNT) "
            "--expect-workers-max-wait 60 --only-summary --csv $(ATQ_OUT)/locust --html "
            "$(ATQ_OUT)/report.html");
  const std::vector<Port> ports = {{.name = "master", .port = 5557}};
  EXPECT_EQ(frozen.spec.master->ports, ports);
  const std::map<std::string, std::string> expected = {{"LOCUST_USERS", "6"},
                                                       {"LOCUST_RUN_TIME", "4s"},
                                                       {"users", "6"},
                                                       {"runTime", "4s"},
                                                       {"page", "/a b"}};
  EXPECT_EQ(environment(*frozen.spec.master), expected);
  EXPECT_EQ(environment(frozen.spec.worker.role), expected);
  EXPECT_EQ(frozen.spec.worker.readiness->log, "locust\\.main: Starting Locust");
  EXPECT_TRUE(frozen.workers_exit_alone);
  EXPECT_FALSE(frozen.allocate_ports);
  EXPECT_EQ(frozen.closing.failed_exit_codes, std::vector<int>{1});
}

TEST(Resolve, JMeterGetsItsPortsFlagsAndParameters) {
  LoadTestSpec spec = spec_of("jmeter", "plan.jmx");
  spec.parameters = {{"threads", "50"}};
  spec.master.emplace().args = {"-Jmine=1"};
  const Resolved resolved = resolve(spec);
  EXPECT_EQ(to_string(resolved.problems), "");
  const FrozenSpec& frozen = resolved.frozen;
  EXPECT_EQ(command_line(frozen.spec.worker.role),
            "jmeter -s -j $(ATQ_OUT)/jmeter-server.log -Djava.rmi.server.hostname=$(ATQ_ADDRESS) "
            "-Dserver_port=$(ATQ_PORT_RMI) -Jserver.rmi.localport=$(ATQ_PORT_RMI_LOCAL) "
            "-Jserver.rmi.ssl.disable=true -Jserver.exitaftertest=true -Jthreads=50");
  EXPECT_EQ(command_line(*frozen.spec.master),
            "jmeter -n -t $(ATQ_PLAN) -l $(ATQ_OUT)/results.jtl -j $(ATQ_OUT)/jmeter.log -R "
            "$(ATQ_WORKER_ENDPOINTS) -X -Djava.rmi.server.hostname=$(ATQ_ADDRESS) "
            "-Jserver.rmi.ssl.disable=true -Jclient.tries=5 -Jclient.retries_delay=1000 "
            "-Dsun.rmi.transport.tcp.handshakeTimeout=10000 "
            "-Dsun.rmi.transport.tcp.responseTimeout=30000 "
            "-Jjmeterengine.nongui.port=$(ATQ_PORT_UDP) "
            "-Jjmeterengine.nongui.maxport=$(ATQ_PORT_UDP) -Jjmeterengine.force.system.exit=true "
            "-Jjmeter.save.saveservice.autoflush=true -Jsummariser.name=summary -Gthreads=50 "
            "-Jthreads=50 -Jmine=1");
  EXPECT_TRUE(frozen.allocate_ports);
  EXPECT_EQ(frozen.master_stop,
            (StopSignal{.udp_port = "udp", .graceful = "Shutdown", .now = "StopTestNow"}));
  EXPECT_EQ(frozen.worker_stop, StopSignal{});
  ASSERT_EQ(frozen.spec.health_check.checks.size(), 1U);
  EXPECT_EQ(std::get<TcpCheck>(frozen.spec.health_check.checks[0].check).port, 1099);
  EXPECT_EQ(frozen.spec.worker.readiness->tcp_port, 1099);
  EXPECT_EQ(frozen.spec.worker.role.ports.front().name, "rmi");
  EXPECT_TRUE(frozen.closing.failures_fail);
}

TEST(Resolve, CustomIsWhatItIsGiven) {
  LoadTestSpec spec;
  spec.parameters = {{"URL", "http://127.0.0.1"}, {"not-a-name", "x"}};
  spec.worker.role.command = {"wrk"};
  spec.worker.role.args = {"-d", "10"};
  spec.worker.role.env = {{.name = "URL", .value = "mine"}};
  const Resolved resolved = resolve(spec);
  EXPECT_EQ(to_string(resolved.problems), "");
  EXPECT_FALSE(resolved.frozen.spec.master);
  EXPECT_EQ(command_line(resolved.frozen.spec.worker.role), "wrk -d 10");
  EXPECT_EQ(environment(resolved.frozen.spec.worker.role),
            (std::map<std::string, std::string>{{"URL", "mine"}}));
  EXPECT_EQ(resolved.frozen.plan, "");
}

TEST(Resolve, CustomAsksForCommandsOfBothRoles) {
  LoadTestSpec spec;
  spec.master.emplace().image = "tool:1";
  const Resolved resolved = resolve(spec);
  ASSERT_EQ(resolved.problems.size(), 2U);
  EXPECT_EQ(resolved.problems[0].path, "spec.worker.command");
  EXPECT_EQ(resolved.problems[1].path, "spec.master.command");
  EXPECT_EQ(resolved.problems[0].rule, "semantic");
}

TEST(Resolve, TheSpecGoesOverTheProfile) {
  LoadTestSpec spec = spec_of("jmeter", "plan.jmx");
  WorkerSpec& worker = spec.worker;
  worker.role.image = "mine:1";
  worker.role.command = {"/opt/start.sh"};
  worker.role.args = {"one"};
  worker.role.working_dir = "/w";
  worker.role.env = {{.name = "JVM_ARGS", .value = "-Xmx2g"}};
  worker.role.ports = {{.name = "jmx", .port = 9010}, {.name = "rmi", .port = 2099}};
  worker.readiness = Readiness{.running = true};
  spec.health_check.checks = {{.name = "mine", .check = TcpCheck{2099}}};
  const FrozenSpec frozen = resolve(spec).frozen;
  const RoleSpec& role = frozen.spec.worker.role;
  EXPECT_EQ(role.image, "mine:1");
  EXPECT_EQ(command_line(role), "/opt/start.sh one");
  EXPECT_EQ(role.working_dir, "/w");
  EXPECT_EQ(environment(role).at("JVM_ARGS"), "-Xmx2g");
  EXPECT_EQ(environment(role).at("GC_ALGO"), "-XX:+UseSerialGC");
  const std::vector<Port> ports = {{.name = "rmi", .port = 2099},
                                   {.name = "rmi-local", .port = 50000},
                                   {.name = "jmx", .port = 9010}};
  EXPECT_EQ(role.ports, ports);
  EXPECT_EQ(frozen.spec.worker.readiness, worker.readiness);
  EXPECT_EQ(frozen.spec.health_check.checks, spec.health_check.checks);
}

TEST(Resolve, UnknownToolGetsASuggestion) {
  const Resolved resolved = resolve(spec_of("jmetr", ""));
  ASSERT_EQ(resolved.problems.size(), 1U);
  EXPECT_EQ(to_string(resolved.problems[0]),
            "spec.tool: found \"jmetr\", expected one of custom, jmeter, locust; did you mean "
            "jmeter?");
}

TEST(ResolvePlan, ItsNameWinsOverOthers) {
  LoadTestSpec spec = spec_of("locust", "helpers.py");
  spec.worker.role.files = {{.path = "./lib/locustfile.py"}};
  const Resolved resolved = resolve(spec);
  EXPECT_TRUE(resolved.problems.empty());
  EXPECT_EQ(resolved.frozen.plan, "locustfile.py");
}

TEST(ResolvePlan, SeveralCandidatesAreNamed) {
  LoadTestSpec spec = spec_of("locust", "a.py");
  spec.files.push_back({.path = "data/b.py"});
  const Resolved resolved = resolve(spec);
  ASSERT_EQ(resolved.problems.size(), 1U);
  EXPECT_EQ(to_string(resolved.problems[0]),
            "spec.files: found several files that may be the test plan (a.py, b.py), expected "
            "locustfile.py or exactly one *.py");
}

TEST(ResolvePlan, MissingOneIsAProblemUnlessItMayComeFromElsewhere) {
  LoadTestSpec spec = spec_of("jmeter", "users.csv");
  ASSERT_EQ(resolve(spec).problems.size(), 1U);
  EXPECT_EQ(resolve(spec).problems[0].path, "spec.files");
  spec.files.push_back({.config_map = "plans"});
  EXPECT_TRUE(resolve(spec).problems.empty());
  EXPECT_EQ(resolve(spec).frozen.plan, "plan.jmx");
}

TEST(ResolvePlan, NobodyNeedsItWhereBothCommandsAreTheUsers) {
  LoadTestSpec spec = spec_of("jmeter", "");
  spec.worker.role.command = {"a"};
  spec.master.emplace().command = {"b"};
  EXPECT_TRUE(resolve(spec).problems.empty());
}

TEST(Resolve, ParametersMayNotSetReservedVariables) {
  LoadTestSpec spec = spec_of("locust", "locustfile.py");
  spec.parameters = {{"ATQ_RUN", "7"}};
  ASSERT_EQ(resolve(spec).problems.size(), 1U);
  EXPECT_EQ(resolve(spec).problems[0].path, "spec.parameters.ATQ_RUN");
  EXPECT_TRUE(is_reserved_variable("ATQ_X"));
  EXPECT_TRUE(is_reserved_variable("WORKER_CSV_VIPS"));
  EXPECT_FALSE(is_reserved_variable("REMOTES"));
  EXPECT_FALSE(is_reserved_variable("ATQ"));
}

TEST(Frozen, GoesThereAndBack) {
  LoadTestSpec spec = samples::full().spec;
  for (const std::string tool : {"jmeter", "locust", "custom"}) {
    spec.tool = tool;
    const FrozenSpec frozen = resolve(spec).frozen;
    const std::string json = encode_frozen(frozen);
    const auto back = decode_frozen(json);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, frozen);
    EXPECT_EQ(encode_frozen(*back), json);
  }
  EXPECT_EQ(*decode_frozen(encode_frozen({})), FrozenSpec{});
  for (const std::string_view text : {"", "{}", "[]", "{\"spec\":1}", "{\"spec\""}) {
    EXPECT_FALSE(decode_frozen(text)) << text;
  }
}

TEST(ParseProfile, RefusesWhatItDoesNotKnow) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"tool: x\nworkr: {}", "profile: workr: unknown field; did you mean worker?"},
      {"tool: x\nworker: {comand: [a]}", "worker.comand"},
      {"tool: x\nworker: {stop: {udp: 1}}", "stop.udp: unknown field"},
      {"tool: x\nclosing: {failuresFail: 1}",
       "profile: closing.failuresFail: found number, expected boolean"},
      {"tool: x\nclosing: {pattern: '(('}", "closing.pattern: found \"((\", expected an RE2"},
      {"tool: x\nworker: {diagnoses: [{pattern: a}]}", "expected a pattern and a message"},
      {"tool: x\nworker: {diagnoses: [{pattern: '*', message: b}]}", "worker.diagnoses: found"},
      {"tool: x\nchecks: [{name: a, tcp: {port: 99999}}]", "checks[0].tcp.port"},
      {"worker: {}", "profile: tool: found none, expected the tool's name"},
      {"[1]", "profile: found array, expected an object with `tool`"},
      {"tool: x\n---\ntool: y", "profile: found 2 documents, expected one"},
      {"", "profile: found 0 documents, expected one"},
      {"tool: x\ntool: y", "twice"},
      {"tool: [", "not valid YAML"}};
  for (const auto& [yaml, message] : cases) {
    const auto profile = parse_profile(yaml);
    ASSERT_FALSE(profile) << yaml;
    EXPECT_EQ(profile.error().kind, ErrorKind::Invalid);
    EXPECT_NE(profile.error().message.find(message), std::string::npos)
        << yaml << "\ngives: " << profile.error().message;
  }
}

}  // namespace
}  // namespace atq::api
