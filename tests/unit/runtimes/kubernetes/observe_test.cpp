#include "src/runtimes/kubernetes/observe.hpp"

#include <gtest/gtest.h>

#include "src/runtimes/kubernetes/readiness.hpp"
#include "tests/unit/runtimes/kubernetes/cluster_objects.hpp"

namespace atq::kubernetes {
namespace {

using namespace test;
using core::ReplicaState;

api::FrozenSpec frozen_with(int workers, bool master = true) {
  api::FrozenSpec frozen;
  frozen.spec.worker.replicas = workers;
  if (master) frozen.spec.master.emplace();
  return frozen;
}

const char kRecord[] =
    R"({"code":3,"signal":0,"error":"","atUs":1000000,"ranForUs":5,"userUs":0,"systemUs":0,)"
    R"("maxRssKib":1,"lastLines":["one","two","three","four","port 1099 in use","six"]})";

class Observe : public ::testing::Test {
 protected:
  Observe() {
    cache_.upsert(Kind::Service, service(frozen_));
    cache_.upsert(Kind::Job, job(Part::Worker));
  }
  core::ObservedRun see() { return observe_run(*cache_.find(kKey), frozen_, memory_); }
  core::Replica worker(const Json& json, int index = 0) {
    cache_.upsert(Kind::Pod, json);
    return see().workers.at(static_cast<size_t>(index));
  }

  api::FrozenSpec frozen_ = frozen_with(2);
  RunCache cache_;
  RunMemory memory_;
};

TEST_F(Observe, WorkersComeRunAndEnd) {
  EXPECT_EQ(see().workers.at(1).state, ReplicaState::Starting);
  EXPECT_EQ(see().workers.at(1).not_ready_because, "its pod is not created yet");
  Json json = pod(Part::Worker, 0, 10);
  set_main(json, "waiting", {{"reason", "PodInitializing"}});
  auto seen = worker(json);
  EXPECT_EQ(seen.state, ReplicaState::Starting);
  EXPECT_EQ(seen.address, "10.0.0.1");
  json["metadata"]["resourceVersion"] = "11";
  set_main(json, "running", {{"startedAt", "2026-11-25T12:00:00Z"}}, true);
  seen = worker(json);
  EXPECT_EQ(seen.state, ReplicaState::Running);
  EXPECT_TRUE(seen.ready);
  json["metadata"]["resourceVersion"] = "12";
  set_main(json, "terminated", {{"exitCode", 3}, {"reason", "Error"}, {"message", kRecord}});
  frozen_.worker_diagnoses = {{"port (\\d+) in use", "port \\1 is taken"}};
  seen = worker(json);
  EXPECT_EQ(seen.state, ReplicaState::Exited);
  EXPECT_EQ(seen.exit->code, 3);
  EXPECT_EQ(seen.exit->last_lines.size(), 5U);
  EXPECT_EQ(seen.exit->diagnosis, "port 1099 is taken");
  EXPECT_EQ(seen.exit->at, TimePoint(std::chrono::seconds(1)));
}

TEST_F(Observe, AnIndexThatEndedNeverRunsAgain) {
  Json first = pod(Part::Worker, 0, 10);
  first["status"]["phase"] = "Failed";
  first["status"]["reason"] = "Evicted";
  first["status"]["message"] = "The node was low on resource: memory.";
  auto seen = worker(first);
  EXPECT_EQ(seen.exit->diagnosis, "Evicted: The node was low on resource: memory.");
  Json second = pod(Part::Worker, 0, 20, "b");
  set_main(second, "running", Json::object(), true);
  EXPECT_EQ(worker(second).state, ReplicaState::Exited);
}

TEST_F(Observe, WhatTheNodeDidIsSaid) {
  Json oom = pod(Part::Worker, 0, 10);
  set_main(oom, "terminated", {{"exitCode", 137}, {"reason", "OOMKilled"}});
  auto seen = worker(oom);
  EXPECT_EQ(seen.exit->diagnosis, "out of memory (limit 64Mi)");
  EXPECT_EQ(seen.exit->signal, 9);

  Json lost = pod(Part::Worker, 1, 10);
  set_main(lost, "running", Json::object(), true);
  lost["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z";
  EXPECT_EQ(worker(lost, 1).state, ReplicaState::Running);
  lost["metadata"]["resourceVersion"] = "11";
  lost["status"]["conditions"].push_back({{"type", "DisruptionTarget"},
                                          {"status", "True"},
                                          {"reason", "DeletionByTaintManager"},
                                          {"message", "deleting due to NoExecute taint"},
                                          {"lastTransitionTime", "2026-11-25T12:00:05Z"}});
  seen = worker(lost, 1);
  EXPECT_EQ(seen.state, ReplicaState::Exited);
  EXPECT_NE(seen.exit->diagnosis.find("its node went away"), std::string::npos);
  EXPECT_EQ(seen.exit->at, *parse_rfc3339("2026-11-25T12:00:05Z"));
}

TEST_F(Observe, AnAgentThatCannotBeInstalledIsSaid) {
  Json json = pod(Part::Worker, 0, 10);
  json["status"]["phase"] = "Failed";
  json["status"]["initContainerStatuses"] = {
      {{"name", "agent"},
       {"state", {{"terminated", {{"exitCode", 1}, {"message", "disk full"}}}}}}};
  const auto seen = worker(json);
  EXPECT_EQ(seen.exit->code, agent::kCannotStart);
  EXPECT_EQ(seen.exit->diagnosis, "the agent could not be installed: exit 1: disk full");
}

TEST_F(Observe, ImagesAndNodesThatHoldItUpAreNamed) {
  Json json = pod(Part::Worker, 0, 10);
  json["status"]["phase"] = "Pending";
  json["status"]["initContainerStatuses"] = {
      {{"name", "agent"},
       {"state", {{"waiting", {{"reason", "ImagePullBackOff"}, {"message", "Back-off"}}}}}}};
  EXPECT_EQ(worker(json).not_ready_because, "atq-agent: ImagePullBackOff: Back-off");
  json["metadata"]["resourceVersion"] = "11";
  json["status"].erase("initContainerStatuses");
  memory_.problem = "FailedMount: configmap \"x\" not found";
  EXPECT_EQ(worker(json).not_ready_because, memory_.problem);
}

TEST(Views, APodWhoseContainersHaveEndedIsNotAliveThoughItsPhaseIsRunning) {
  Json json = pod(Part::Worker, 0, 10);
  EXPECT_TRUE(read_pod(json)->alive());
  set_main(json, "running", Json::object());
  EXPECT_TRUE(read_pod(json)->alive());
  set_main(json, "terminated", {{"exitCode", 143}});
  EXPECT_FALSE(read_pod(json)->alive());
  json["status"]["containerStatuses"].push_back(
      {{"name", "sidecar"}, {"state", {{"running", Json::object()}}}});
  EXPECT_TRUE(read_pod(json)->alive());
  json["status"]["phase"] = "Failed";
  EXPECT_FALSE(read_pod(json)->alive());
}

TEST_F(Observe, ThePodsThatAreGoneStandInTheJob) {
  Json json = job(Part::Worker, 5);
  json["status"]["failedIndexes"] = "1,3-5";
  cache_.upsert(Kind::Job, json);
  auto seen = see();
  EXPECT_EQ(seen.workers[0].state, ReplicaState::Starting);
  EXPECT_EQ(seen.workers[1].state, ReplicaState::Exited);
  EXPECT_EQ(seen.workers[1].exit->code, 137);
  json["metadata"]["resourceVersion"] = "6";
  json["status"]["completedIndexes"] = "0";
  cache_.upsert(Kind::Job, json);
  EXPECT_EQ(see().workers[0].exit->code, 0);
}

TEST_F(Observe, AStoppedJobsPodsAreEndedOnceTheyAreGone) {
  Json json = job(Part::Worker, 5);
  json["metadata"]["annotations"][std::string(kReleaseAnnotation)] = kStopped;
  json["spec"]["suspend"] = true;
  Json running = pod(Part::Worker, 0, 10);
  set_main(running, "running", Json::object());
  cache_.upsert(Kind::Pod, running);
  cache_.upsert(Kind::Job, json);
  EXPECT_TRUE(is_active(*cache_.find(kKey), Part::Worker));
  EXPECT_EQ(see().workers[0].state, ReplicaState::Running);
  EXPECT_EQ(see().workers[1].exit->code, 143);
  cache_.remove(Kind::Pod, running);
  EXPECT_EQ(see().workers[0].exit->diagnosis, "stopped");
  EXPECT_FALSE(is_active(*cache_.find(kKey), Part::Worker));
}

TEST_F(Observe, AMasterGoesFromInertToEnded) {
  EXPECT_FALSE(see().master);
  Json json = job(Part::Master, 20);
  json["spec"]["suspend"] = true;
  const std::string release(kReleaseAnnotation);
  json["metadata"]["annotations"][release] = "nonce-7";
  cache_.upsert(Kind::Job, json);
  EXPECT_EQ(see().master->state, ReplicaState::Inert);
  EXPECT_EQ(see().version, "nonce-7");
  json["metadata"]["resourceVersion"] = "21";
  json["metadata"]["annotations"][release] = kReleased;
  json["spec"]["suspend"] = false;
  cache_.upsert(Kind::Job, json);
  EXPECT_EQ(see().master->state, ReplicaState::Starting);
  EXPECT_EQ(see().version, "");
  Json running = pod(Part::Master, 0, 30);
  set_main(running, "running", Json::object(), true);
  cache_.upsert(Kind::Pod, running);
  EXPECT_EQ(see().master->state, ReplicaState::Running);
  json["metadata"]["resourceVersion"] = "22";
  json["metadata"]["annotations"][release] = kWithdrawn;
  cache_.upsert(Kind::Job, json);
  EXPECT_EQ(see().master->exit->diagnosis, "stopped before it was released");
}

TEST_F(Observe, AJobOfAnotherServiceOfThatNameIsNone) {
  Json json = job(Part::Master, 20);
  json["metadata"]["ownerReferences"][0]["uid"] = "older";
  cache_.upsert(Kind::Job, json);
  EXPECT_FALSE(see().master);
}

TEST_F(Observe, AReadinessOfTheContainerIsTheCheckToo) {
  frozen_.spec.health_check.checks = {{.name = "rmi", .check = api::TcpCheck{1099}}};
  Json json = pod(Part::Worker, 0, 10);
  set_main(json, "running", Json::object(), false);
  cache_.upsert(Kind::Pod, json);
  EXPECT_FALSE(see().checks_exist);
  EXPECT_TRUE(see().checks.empty());
  memory_.checks_asked = true;
  ASSERT_EQ(see().checks.size(), 2U);
  EXPECT_EQ(see().checks[0].last_error, "tcp 1099 not yet accepting");
  json["metadata"]["resourceVersion"] = "11";
  set_main(json, "running", Json::object(), true);
  cache_.upsert(Kind::Pod, json);
  EXPECT_TRUE(see().checks[0].passed);
  EXPECT_FALSE(see().checks[1].passed);
  // Busy with load, the tool may stop answering: what has passed has passed.
  json["metadata"]["resourceVersion"] = "12";
  set_main(json, "running", Json::object(), false);
  cache_.upsert(Kind::Pod, json);
  EXPECT_TRUE(see().checks[0].passed);
  memory_.checks_stopped = true;
  EXPECT_FALSE(see().checks_exist);
}

TEST_F(Observe, MasterlessWorkersRunWhenTheStarterSaysSo) {
  frozen_ = frozen_with(2, false);
  const std::string release(kReleaseAnnotation);
  Json record = service(frozen_, 5);
  record["metadata"]["annotations"][release] = "nonce";
  cache_.upsert(Kind::Service, record);
  for (int i = 0; i < 2; ++i) {
    Json json = pod(Part::Worker, i, 10);
    set_main(json, "running", Json::object(), true);
    cache_.upsert(Kind::Pod, json);
  }
  EXPECT_EQ(see().workers[0].state, ReplicaState::Inert);
  EXPECT_EQ(see().version, "nonce");
  record["metadata"]["resourceVersion"] = "6";
  record["metadata"]["annotations"][release] = kReleased;
  cache_.upsert(Kind::Service, record);
  // The starter is not made yet, as after a crash between the two: it is to be released again.
  EXPECT_EQ(see().workers[0].state, ReplicaState::Inert);
  cache_.upsert(Kind::Job, job(Part::Master, 20));
  EXPECT_EQ(see().workers[0].state, ReplicaState::Starting);
  EXPECT_FALSE(see().master);
  Json starter = pod(Part::Master, 0, 30);
  starter["status"]["phase"] = "Failed";
  const std::string port = std::to_string(plan_readiness(frozen_).agent_port);
  set_main(
      starter, "terminated",
      {{"exitCode", 1},
       {"message", R"({"skewUs":5,"started":1,"errors":["10.0.0.2:)" + port + R"(: refused"]})"}});
  cache_.upsert(Kind::Pod, starter);
  EXPECT_EQ(see().workers[0].state, ReplicaState::Running);
  EXPECT_EQ(see().workers[1].state, ReplicaState::Exited);
  EXPECT_EQ(see().workers[1].exit->diagnosis,
            "could not be started: 10.0.0.2:" + port + ": refused");
}

TEST_F(Observe, WhatWasCollectedIsRead) {
  Json record = service(frozen_, 5);
  record["metadata"]["annotations"][std::string(kCollectedAnnotation)] = encode(
      Collected{.statement = core::Statement{1, 0, ""}, .diagnoses = {{"worker/0", "it broke"}}});
  cache_.upsert(Kind::Service, record);
  Json json = pod(Part::Worker, 0, 10);
  set_main(json, "terminated", {{"exitCode", 1}, {"reason", "Error"}});
  EXPECT_EQ(worker(json).exit->diagnosis, "it broke");
  EXPECT_TRUE(see().results_collected);
  EXPECT_EQ(see().statement->requests, 1);
}

TEST(ContainsIndex, ReadsRanges) {
  EXPECT_TRUE(contains_index("0,3-5,7", 4));
  EXPECT_TRUE(contains_index("0,3-5,7", 7));
  EXPECT_FALSE(contains_index("0,3-5,7", 2));
  EXPECT_FALSE(contains_index("", 0));
  EXPECT_FALSE(contains_index("x,-,3-", 3));
}

}  // namespace
}  // namespace atq::kubernetes
