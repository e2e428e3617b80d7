#include "src/runtimes/kubernetes/objects.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controller/api/codec.hpp"
#include "src/agent/protocol.hpp"
#include "src/runtimes/kubernetes/environment.hpp"
#include "src/runtimes/kubernetes/names.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

/// A spec of a few words over a profile, as a run would freeze it.
api::FrozenSpec frozen(const std::string& spec) {
  const auto documents = api::decode_yaml(
      "apiVersion: atq.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: checkout}\nspec:\n" + spec);
  EXPECT_EQ(documents.size(), 1U);
  for (const auto& problem : documents.at(0).problems) ADD_FAILURE() << problem.message;
  auto resolved = api::resolve(documents.at(0).test.spec);
  for (const auto& problem : resolved.problems) ADD_FAILURE() << problem.message;
  return resolved.frozen;
}

ObjectContext context_of(const api::FrozenSpec& frozen) {
  return {.frozen = frozen,
          .id = {"3d1c2c54-aaaa-bbbb-cccc-000000000001", 4},
          .key = {"perf", "checkout"},
          .loadtest_uid = "3d1c2c54-aaaa-bbbb-cccc-000000000001",
          .service_uid = "5e5e5e5e-aaaa-bbbb-cccc-000000000002",
          .agent_image = "atq.dev/atq-director:test",
          .agent_pull_policy = "IfNotPresent",
          .fence = "f00d",
          .files = {},
          .addresses = {"10.0.0.7", "fd00::7"}};
}

/// Compares with tests/data/kubernetes/NAME.json; ATQ_WRITE_GOLDEN=1 writes it.
void expect_golden(const std::string& name, const Json& json) {
  const std::string path = std::string(ATQ_SOURCE_DIR) + "/tests/data/kubernetes/" + name + ".json";
  const std::string text = json.dump(2) + "\n";
  if (std::getenv("ATQ_WRITE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(golden.str(), text) << path;
}

constexpr char kJmeter[] = R"(
  tool: jmeter
  parameters: {threads: "5"}
  files: [{inline: {plan.jmx: "<plan/>"}}, {configMap: {name: users}}]
  worker:
    replicas: 2
    image: jmeter:5.6
    resources: {requests: {cpu: 500m}, limits: {memory: 1Gi}}
  master: {image: jmeter:5.6}
  kubernetes: {serviceAccountName: load, imagePullSecrets: [{name: regcred}]}
)";

TEST(Objects, OfAJmeterRun) {
  const auto spec = frozen(kJmeter);
  const auto context = context_of(spec);
  expect_golden("jmeter-service", service_object(context, "{}").value());
  expect_golden("jmeter-workers", worker_job(context).value());
  expect_golden("jmeter-master", master_job(context).value());
}

constexpr char kMasterless[] = R"yaml(
  tool: custom
  worker: {replicas: 2, image: "wrk:1", command: [wrk, "-d30s"], workingDir: /tmp}
  healthCheck:
    checks:
    - {name: dns, udp: {port: 53, expect: x}}
    - {name: warm, exec: {image: "busybox:1", command: [sh, -c, "echo $(ATQ_WORKER_ADDRESS)"]
}
}
)yaml";

TEST(Objects, OfAMasterlessRun) {
  const auto spec = frozen(kMasterless);
  const auto context = context_of(spec);
  expect_golden("masterless-service", service_object(context, "{}").value());
  expect_golden("masterless-workers", worker_job(context).value());
  expect_golden("masterless-starter", starter_job(context));
  const Json probe = probe_job(context).value();
  expect_golden("masterless-probe", probe);
  const auto& annotations = probe["spec"]["template"]["metadata"]["annotations"];
  const auto targets =
      agent::decode_probe_targets(annotations["atq.dev/checks-1"].get_ref<const std::string&>());
  ASSERT_TRUE(targets) << targets.error().message;
  ASSERT_EQ(targets->size(), 2U);
  EXPECT_EQ((*targets)[1].command.back(), "echo fd00::7");
}

TEST(Objects, PodTemplatesMergeAndThePodsStayOurs) {
  auto spec = frozen(kJmeter);
  spec.spec.kubernetes.worker_pod_template =
      R"({"metadata":{"labels":{"team":"a","atq.dev/role":"x"}},
          "spec":{"restartPolicy":"Always","nodeSelector":{"pool":"load"},
                  "containers":[{"name":"main","tty":true},{"name":"side","image":"s"}]}})";
  spec.spec.kubernetes.topology_spread_constraints =
      R"([{"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"ScheduleAnyway"}])";
  const auto job = worker_job(context_of(spec));
  ASSERT_TRUE(job) << job.error().message;
  const Json& pod = (*job)["spec"]["template"];
  EXPECT_EQ(pod["metadata"]["labels"]["team"], "a");
  EXPECT_EQ(pod["metadata"]["labels"]["atq.dev/role"], "worker");
  EXPECT_EQ(pod["spec"]["restartPolicy"], "Never");
  EXPECT_EQ(pod["spec"]["nodeSelector"]["pool"], "load");
  EXPECT_EQ(pod["spec"]["containers"].size(), 2U);
  EXPECT_EQ(pod["spec"]["containers"][0]["tty"], true);
  EXPECT_EQ(pod["spec"]["containers"][0]["image"], "jmeter:5.6");
  const Json& spread = pod["spec"]["topologySpreadConstraints"][0];
  EXPECT_EQ(spread["labelSelector"]["matchLabels"]["atq.dev/role"], "worker");

  spec.spec.kubernetes.worker_pod_template = R"({"spec":null})";
  EXPECT_EQ(worker_job(context_of(spec)).error().message,
            "kubernetes.worker.podTemplate leaves no pod");
}

TEST(Objects, WhatDoesNotFitIsRefused) {
  auto spec = frozen(kJmeter);
  spec.spec.files[0].inline_files["big"] = std::string(300 * 1024, 'x');
  const auto job = worker_job(context_of(spec));
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().kind, ErrorKind::Invalid);
  EXPECT_NE(job.error().message.find("put them into a ConfigMap"), std::string::npos);
  spec.spec.worker.role.image.clear();
  EXPECT_EQ(check_supported(spec).error().message,
            "worker.image: is missing; Kubernetes needs one");
}

TEST(Objects, FilesOfARoleWinAndKeepTheirNames) {
  auto spec = frozen(kJmeter);
  api::FileSource own;
  own.inline_files["plan.jmx"] = "<own/>";
  spec.spec.worker.role.files.push_back(own);
  auto context = context_of(spec);
  context.files = {{.role = core::Role::Master, .name = "_only.csv", .content = "1,2"}};
  const Json worker = worker_job(context).value()["spec"]["template"];
  EXPECT_EQ(worker["metadata"]["annotations"]["atq.dev/file-0"], "<own/>");
  EXPECT_FALSE(worker["metadata"]["annotations"].contains("atq.dev/file-1"));
  const Json master = master_job(context).value()["spec"]["template"];
  EXPECT_EQ(master["metadata"]["annotations"]["atq.dev/file-0"], "1,2");
  EXPECT_EQ(master["metadata"]["annotations"]["atq.dev/file-1"], "<plan/>");
}

TEST(Objects, UsersReplaceVariablesOfOurs) {
  auto spec = frozen(kJmeter);
  spec.spec.master->env.push_back(
      {.name = "REMOTES", .value = "$(WORKER_CSV_VIPS)", .secret_key_ref = {}});
  spec.spec.master->env.push_back(
      {.name = "TOKEN", .value = "", .secret_key_ref = api::SecretKeyRef{"creds", "token"}});
  const Json env = environment_of(context_of(spec), core::Role::Master);
  int found = 0;
  for (const auto& one : env) {
    if (one["name"] == "REMOTES") {
      ++found;
      EXPECT_EQ(one["value"], "$(WORKER_CSV_VIPS)");
    }
    if (one["name"] == "TOKEN") {
      EXPECT_EQ(one["valueFrom"]["secretKeyRef"]["name"], "creds");
    }
  }
  EXPECT_EQ(found, 1);
  EXPECT_EQ(worker_endpoints(context_of(spec)), "10.0.0.7:1099,[fd00::7]:1099");
}

TEST(Record, PacksWhatIsLarge) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "line " + std::to_string(i) + "\n";
  const std::string packed = pack(text);
  EXPECT_LT(packed.size(), text.size() / 2);
  EXPECT_EQ(unpack(packed).value(), text);
  EXPECT_EQ(pack("{}"), "{}");
  EXPECT_EQ(unpack("{}").value(), "{}");
  EXPECT_EQ(unpack(pack("z:short")).value(), "z:short");
  EXPECT_FALSE(unpack("z:!!"));
  EXPECT_FALSE(unpack(std::string_view(packed).substr(0, packed.size() / 8 * 4)));
  EXPECT_FALSE(unpack(pack(std::string(size_t{17} << 20, 'a'))));
}

TEST(Record, FilesAndWhatWasCollectedComeBack) {
  const std::vector<PlacedFile> files = {{.role = {}, .name = "a", .content = "1"},
                                         {.role = core::Role::Worker, .name = "b", .content = ""}};
  EXPECT_EQ(decode_files(encode_files(files)).value(), files);
  EXPECT_TRUE(decode_files("").value().empty());
  EXPECT_FALSE(decode_files("[{}]"));
  const Collected collected{.statement = core::Statement{120, 3, "40.5"},
                            .diagnoses = {{"master/0", "it failed"}}};
  EXPECT_EQ(decode_collected(encode(collected)).value(), collected);
  EXPECT_EQ(decode_collected(encode(Collected{})).value(), Collected{});
  EXPECT_FALSE(decode_collected("{\"requests\":1}"));
  EXPECT_FALSE(decode_collected("x"));
}

}  // namespace
}  // namespace atq::kubernetes
