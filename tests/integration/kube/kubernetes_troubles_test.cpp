// What real pods do that no simulation is sure of: files, environment, native probes; and how what
// goes wrong is named.

#include "tests/conformance/runtime_suite.hpp"
#include "tests/integration/kube/lab_environment.hpp"

namespace atq::conformance {
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RuntimeSuite);
}  // namespace atq::conformance

namespace atq::kubernetes {
namespace {

using core::ReplicaState;

[[maybe_unused]] const auto* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new LabEnvironment);

class Pods : public ::testing::Test {
 protected:
  template <class T>
  T call(Task<T> task) {
    return conformance::run(driver_.loop(), std::move(task));
  }
  api::FrozenSpec spec(std::vector<std::string> command) {
    auto frozen = driver_.spec({.workers = 1});
    frozen.spec.worker.role.command = std::move(command);
    return frozen;
  }
  void start(const api::FrozenSpec& frozen) {
    const ports::RunStart run{.id = id_,
                              .key = {driver_.ns(), "troubles"},
                              .frozen = std::make_shared<const api::FrozenSpec>(frozen),
                              .files = {}};
    const auto begun = call(driver_.runtime().begin(run));
    ASSERT_TRUE(begun) << begun.error().message;
    const auto ensured = call(driver_.runtime().ensure_workers(id_));
    ASSERT_TRUE(ensured) << ensured.error().message;
  }
  template <class Predicate>
  core::Replica worker_when(Predicate holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(40);
    core::Replica last;
    while (std::chrono::steady_clock::now() < end) {
      const auto runs = call(driver_.runtime().observe(id_.uid));
      if (runs && !runs->empty() && !runs->front().workers.empty()) {
        last = runs->front().workers.front();
        if (holds(last, runs->front())) return last;
      }
      driver_.loop().restart();
      driver_.loop().run_one_for(std::chrono::milliseconds(50));
    }
    ADD_FAILURE() << "waited in vain: " << last.not_ready_because;
    return last;
  }
  core::Replica worker_that_says(const std::string& text) {
    return worker_when([&](const core::Replica& worker, const core::ObservedRun&) {
      return worker.not_ready_because.find(text) != std::string::npos;
    });
  }
  static bool has_ended(const core::Replica& worker, const core::ObservedRun& /*run*/) {
    return worker.state == ReplicaState::Exited;
  }
  std::string output() {
    std::string text;
    const auto write = [&text](std::string_view piece) -> Task<bool> {
      text += piece;
      co_return true;
    };
    const auto read = call(driver_.runtime().logs(id_, {.role = core::Role::Worker}, write));
    EXPECT_TRUE(read) << read.error().message;
    return text;
  }

  Lab lab_;
  LabDriver driver_;
  core::RunId id_{"7b0e6f7a-troubles", 1};
};

TEST_F(Pods, HaveTheirFilesAndTheirEnvironment) {
  auto frozen =
      spec({"sh", "-c",
            "cat $(ATQ_DATA)/_a.txt $ATQ_DATA/from-map; pwd; id -u; echo $ATQ_WORKER_INDEX "
            "$(ATQ_PORT_RMI_X) $ATQ_MASTER_HOST $ATQ_ADDRESS; touch $ATQ_OUT/x ~/y; exit 7"});
  lab_.create(kube::kConfigMaps,
              {{"metadata", {{"name", "plans"}}}, {"data", {{"from-map", "map\n"}}}});
  frozen.spec.worker.role.ports = {{.name = "rmi-x", .port = 1099}};
  frozen.spec.files = {{.inline_files = {{"_a.txt", "hello $(HOME)\n"}}}, {.config_map = "plans"}};
  start(frozen);
  const auto worker = worker_when(has_ended);
  ASSERT_TRUE(worker.exit);
  EXPECT_EQ(worker.exit->code, 7);
  const std::string text = output();
  EXPECT_EQ(text.rfind("hello $(HOME)\nmap\n/atq/data\n65532\n0 1099 troubles-1-", 0), 0U) << text;
  EXPECT_NE(text.find(".svc " + worker.address), std::string::npos) << text;
  lab_.erase(kube::kConfigMaps, "plans");
}

TEST_F(Pods, AreReadyByTheKubeletsProbe) {
  auto frozen = spec({"python3", "-m", "http.server", "8080"});
  frozen.spec.worker.readiness = api::Readiness{.http_get = api::HttpGet{.port = 8080}};
  start(frozen);
  worker_when([](const core::Replica& worker, const auto&) { return worker.ready; });
}

TEST_F(Pods, AreReadyByTheirOutput) {
  start([&] {
    auto frozen = spec({"sh", "-c", "sleep 3; echo server is $((1+1))up; sleep 3600"});
    frozen.spec.worker.readiness = api::Readiness{.log = "is \\dup$"};
    return frozen;
  }());
  worker_that_says("its output does not match");
  worker_when([](const core::Replica& worker, const auto&) { return worker.ready; });
}

TEST_F(Pods, WithoutTheirImageSaySo) {
  auto frozen = spec({"sleep", "1"});
  frozen.spec.worker.role.image = "atq.dev/none:lab";
  start(frozen);
  const auto worker = worker_that_says("ImagePull");
  EXPECT_EQ(worker.state, ReplicaState::Starting);
}

TEST_F(Pods, WithoutTheirConfigMapSaySo) {
  auto frozen = spec({"sleep", "1"});
  frozen.spec.files = {{.config_map = "no-such-map"}};
  start(frozen);
  worker_that_says("configmap \"no-such-map\" not found");
}

TEST_F(Pods, WithoutTheirSecretSaySo) {
  auto frozen = spec({"sleep", "1"});
  frozen.spec.worker.role.env = {
      {.name = "TOKEN", .value = "", .secret_key_ref = api::SecretKeyRef{"no-such-secret", "k"}}};
  start(frozen);
  worker_that_says("secret \"no-such-secret\" not found");
}

TEST_F(Pods, ThatNoNodeHasRoomForSaySo) {
  auto frozen = spec({"sleep", "1"});
  frozen.spec.worker.role.resources.requests = {{"cpu", "400"}};
  start(frozen);
  worker_that_says("unschedulable: 0/");
}

TEST_F(Pods, OverTheQuotaAreTold) {
  const kube::Resource quotas{"", "v1", "resourcequotas", "ResourceQuota"};
  lab_.create(quotas, {{"metadata", {{"name", "none"}}}, {"spec", {{"hard", {{"pods", "0"}}}}}});
  start(spec({"sleep", "1"}));
  worker_when([](const core::Replica&, const core::ObservedRun& run) {
    return run.problem.find("exceeded quota") != std::string::npos;
  });
  lab_.erase(quotas, "none");
}

TEST_F(Pods, ThatRunOutOfMemorySaySo) {
  auto frozen = spec({"python3", "-c", "x = bytearray(300 << 20); import time; time.sleep(60)"});
  frozen.spec.worker.role.resources.limits = {{"memory", "64Mi"}};
  start(frozen);
  const auto worker = worker_when(has_ended);
  EXPECT_EQ(worker.exit->diagnosis, "out of memory (limit 64Mi)");
  EXPECT_EQ(worker.exit->code, 137);
}

TEST_F(Pods, WhoseCommandIsMissingSaySo) {
  start(spec({"no-such-tool"}));
  const auto worker = worker_when(has_ended);
  EXPECT_EQ(worker.exit->code, 121);
  EXPECT_NE(worker.exit->diagnosis.find("no-such-tool: not found in PATH"), std::string::npos)
      << worker.exit->diagnosis;
}

TEST_F(Pods, ThatAreDeletedStayLost) {
  start(spec({"sleep", "3600"}));
  worker_when([](const core::Replica& worker, const auto&) {
    return worker.state == ReplicaState::Running;
  });
  for (const auto& pod : lab_.names(kube::kPods)) lab_.erase(kube::kPods, pod);
  EXPECT_GT(worker_when(has_ended).exit->code, 128);
  driver_.restart();
  EXPECT_GT(worker_when(has_ended).exit->code, 128);
}

}  // namespace
}  // namespace atq::kubernetes
