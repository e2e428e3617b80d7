// The runtime on an API server in memory: what the conformance suite cannot ask of every runtime.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/runtimes/kubernetes/names.hpp"
#include "tests/unit/runtimes/kubernetes/fake_cluster.hpp"

namespace atq::kubernetes {
namespace {

using core::ReplicaState;
using Json = nlohmann::json;

class Runtime : public ::testing::Test {
 protected:
  template <class T>
  T call(Task<T> task) {
    return conformance::run(cluster_.loop(), std::move(task));
  }
  void begin(const conformance::Wanted& wanted) {
    frozen_ = std::make_shared<const api::FrozenSpec>(cluster_.spec(wanted));
    const auto begun =
        call(runtime().begin({.id = id_, .key = key_, .frozen = frozen_, .files = {}}));
    ASSERT_TRUE(begun) << begun.error().message;
  }
  ports::Runtime& runtime() { return cluster_.runtime(); }
  fakes::kube::FakeApi& api() { return cluster_.api(); }

  core::ObservedRun observe() {
    const auto runs = call(runtime().observe(id_.uid));
    return runs && !runs->empty() ? runs->front() : core::ObservedRun{};
  }
  /// Lets the loop turn until `holds`, or two seconds.
  template <class Predicate>
  core::ObservedRun wait_until(Predicate holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(8);
    for (;;) {
      auto seen = observe();
      if (holds(seen)) return seen;
      if (std::chrono::steady_clock::now() >= end) {
        ADD_FAILURE() << "waited in vain";
        return seen;
      }
      cluster_.loop().restart();
      cluster_.loop().run_one_for(std::chrono::milliseconds(20));
    }
  }
  static auto workers_are(ReplicaState state) {
    return [state](const core::ObservedRun& seen) {
      return !seen.workers.empty() &&
             std::all_of(seen.workers.begin(), seen.workers.end(),
                         [state](const auto& worker) { return worker.state == state; });
    };
  }
  static auto master_is(ReplicaState state) {
    return [state](const core::ObservedRun& seen) {
      return seen.master && seen.master->state == state;
    };
  }
  std::string name(Part part) const { return object_name(run_name(id_, key_.name), part); }
  void set_pod(const std::string& pod, Json status) {
    api().put(kube::kPods, "default",
              {{"metadata", {{"name", pod}}}, {"status", std::move(status)}});
  }

  FakeCluster cluster_;
  core::RunId id_{"7b0e6f7a-runtime", 1};
  api::Key key_{"default", "checkout"};
  std::shared_ptr<const api::FrozenSpec> frozen_;
};

TEST_F(Runtime, APassingRunCostsFourCreationsAndFourOtherWrites) {
  begin({.workers = 4, .master_tool = conformance::Tool::ExitZero, .check = true});
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  wait_until(workers_are(ReplicaState::Running));
  ASSERT_TRUE(call(runtime().ensure_master(id_)));
  ASSERT_TRUE(call(runtime().ensure_checks(id_)));
  wait_until([](const auto& seen) { return seen.checks.size() == 4 && seen.checks[3].passed; });
  ASSERT_TRUE(call(runtime().release(id_, core::Role::Master, observe().version)));
  ASSERT_TRUE(call(runtime().stop_checks(id_)));
  wait_until(master_is(ReplicaState::Exited));
  ASSERT_TRUE(call(runtime().collect(id_)));
  ASSERT_TRUE(call(runtime().stop_role(id_, core::Role::Worker, core::StopMode::Graceful, {})));
  wait_until(workers_are(ReplicaState::Exited));
  ASSERT_TRUE(call(runtime().remove(id_)));
  EXPECT_EQ(api().count("POST"), 4U);
  EXPECT_EQ(api().writes(), 8U);
  EXPECT_TRUE(api().all(kube::kPods).empty());
  EXPECT_TRUE(api().all(kube::kJobs).empty());
}

TEST_F(Runtime, AnswersAreSeenAtOnceAndCallsAgainAreFree) {
  begin({.workers = 2});
  EXPECT_TRUE(observe().network_ready);
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  EXPECT_EQ(observe().workers.size(), 2U);
  const size_t writes = api().writes();
  for (int i = 0; i < 3; ++i) {
    begin({.workers = 2});
    ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  }
  EXPECT_EQ(api().writes(), writes);
}

TEST_F(Runtime, AnAnswerThatIsLostIsFoundAgain) {
  api().fail_next({.method = "POST", .path = "/services", .after_effect = true});
  frozen_ = std::make_shared<const api::FrozenSpec>(cluster_.spec({}));
  const ports::RunStart start{.id = id_, .key = key_, .frozen = frozen_, .files = {}};
  EXPECT_EQ(call(runtime().begin(start)).error().kind, ErrorKind::Unavailable);
  ASSERT_TRUE(call(runtime().begin(start)));
  api().fail_next({.method = "POST", .path = "/jobs", .after_effect = true});
  EXPECT_FALSE(call(runtime().ensure_workers(id_)));
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  EXPECT_EQ(api().all(kube::kJobs).size(), 1U);
}

TEST_F(Runtime, WhatBelongsToOthersIsNamed) {
  api().put(kube::kServices, "default", {{"metadata", {{"name", name(Part::Network)}}}});
  frozen_ = std::make_shared<const api::FrozenSpec>(cluster_.spec({}));
  const ports::RunStart start{.id = id_, .key = key_, .frozen = frozen_, .files = {}};
  const auto begun = call(runtime().begin(start));
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().kind, ErrorKind::Conflict);
  EXPECT_NE(begun.error().message.find("not the director's"), std::string::npos);
  api().erase(kube::kServices, "default", name(Part::Network));
  begin({});
  Json job = {{"metadata",
               {{"name", name(Part::Worker)},
                {"labels", labels_of(id_, key_.name, Part::Worker)},
                {"ownerReferences",
                 {{{"apiVersion", "v1"},
                   {"kind", "Service"},
                   {"name", "other"},
                   {"uid", "u-2"},
                   {"controller", true}}}}}},
              {"spec", {{"completions", 0}, {"template", Json::object()}}}};
  api().put(kube::kServices, "default", {{"metadata", {{"name", "other"}, {"uid", "u-2"}}}});
  job["metadata"]["ownerReferences"][0]["uid"] =
      api().get(kube::kServices, "default", "other")->at("metadata").at("uid");
  api().put(kube::kJobs, "default", job);
  const auto ensured = call(runtime().ensure_workers(id_));
  ASSERT_FALSE(ensured);
  EXPECT_NE(ensured.error().message.find("belongs to Service other"), std::string::npos)
      << ensured.error().message;
  EXPECT_TRUE(observe().workers.empty());
}

TEST_F(Runtime, QuotaAndPodsThatDoNotComeAreTold) {
  cluster_.sim().hold_pods(true);
  begin({.workers = 1});
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  const std::string pod = name(Part::Worker) + "-0-sim";
  wait_until([&](const auto&) { return api().get(kube::kPods, "default", pod).has_value(); });
  set_pod(pod, {{"phase", "Pending"},
                {"conditions",
                 {{{"type", "PodScheduled"},
                   {"status", "False"},
                   {"message", "0/3 nodes are available: 3 Insufficient memory."}}}}});
  auto seen = wait_until([](const auto& run) {
    return run.workers[0].not_ready_because.starts_with("unschedulable");
  });
  EXPECT_EQ(seen.workers[0].not_ready_because,
            "unschedulable: 0/3 nodes are available: 3 Insufficient memory.");
  const auto waiting = [&](const char* reason, const char* message) {
    set_pod(pod, {{"phase", "Pending"},
                  {"conditions", {{{"type", "PodScheduled"}, {"status", "True"}}}},
                  {"containerStatuses",
                   {{{"name", "main"},
                     {"state", {{"waiting", {{"reason", reason}, {"message", message}}}}}}}}});
  };
  waiting("ErrImagePull", "no such image");
  wait_until([](const auto& run) {
    return run.workers[0].not_ready_because == "ErrImagePull: no such image";
  });
  // What containers do not say, events do.
  waiting("ContainerCreating", "");
  const std::string uid = api().get(kube::kPods, "default", pod)->at("metadata").at("uid");
  api().put({"", "v1", "events", "Event"}, "default",
            {{"metadata", {{"name", "e1"}}},
             {"involvedObject", {{"uid", uid}}},
             {"type", "Warning"},
             {"reason", "FailedMount"},
             {"message", "configmap \"plans\" not found"},
             {"lastTimestamp", "2026-11-25T12:00:00Z"}});
  seen = wait_until([](const auto& run) { return !run.problem.empty(); });
  EXPECT_EQ(seen.workers[0].not_ready_because, "FailedMount: configmap \"plans\" not found");
}

TEST_F(Runtime, AReleaseWhoseAnswerIsLostIsNoSecondRelease) {
  begin({});
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  ASSERT_TRUE(call(runtime().ensure_master(id_)));
  const std::string version = observe().version;
  api().fail_next({.method = "PATCH", .path = name(Part::Master), .after_effect = true});
  EXPECT_FALSE(call(runtime().release(id_, core::Role::Master, version)));
  ASSERT_TRUE(call(runtime().release(id_, core::Role::Master, version)));
  wait_until(master_is(ReplicaState::Running));
  ASSERT_TRUE(call(runtime().stop_role(id_, core::Role::Master, core::StopMode::Graceful, {})));
  wait_until(master_is(ReplicaState::Exited));
  // A leader that was frozen since before the release decides again.
  EXPECT_TRUE(call(runtime().release(id_, core::Role::Master, version)));
  EXPECT_TRUE(api().get(kube::kJobs, "default", name(Part::Master))->at("spec").at("suspend"));
}

TEST_F(Runtime, ALostPodStaysLost) {
  begin({.workers = 2});
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  wait_until(workers_are(ReplicaState::Running));
  api().erase(kube::kPods, "default", name(Part::Worker) + "-1-sim");
  const auto gone = [](const auto& run) { return run.workers[1].state == ReplicaState::Exited; };
  auto seen = wait_until(gone);
  EXPECT_EQ(seen.workers[1].exit->code, 137);
  EXPECT_EQ(seen.workers[1].exit->diagnosis, "its pod is gone (deleted or evicted)");
  EXPECT_EQ(seen.workers[0].state, ReplicaState::Running);
  cluster_.restart();
  EXPECT_EQ(wait_until(gone).workers[1].exit->code, 137);
}

TEST_F(Runtime, ARunDeletedBehindUsIsGone) {
  begin({});
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  api().erase(kube::kServices, "default", name(Part::Network));
  wait_until([this](const auto&) { return runtime().known_runs().empty(); });
  EXPECT_EQ(call(runtime().ensure_master(id_)).error().kind, ErrorKind::NotFound);
  EXPECT_TRUE(call(runtime().remove(id_)));
}

TEST_F(Runtime, AMissingRightEndsTheStart) {
  auto client = api().connect("nobody");
  api().fail_next(
      {.path = "/jobs", .client = "nobody", .times = 9, .status = 403, .reason = "Forbidden"});
  KubernetesRuntime other(cluster_.loop(), *client,
                          {.agent_image = "a:1", .sync_timeout = std::chrono::seconds(5)});
  const auto started = call(other.start());
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::Forbidden);
  conformance::run(cluster_.loop(), other.stop());
  client->stop();
  cluster_.loop().restart();
  cluster_.loop().poll();
}

}  // namespace
}  // namespace atq::kubernetes
