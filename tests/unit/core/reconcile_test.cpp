// What scenarios cannot say well: sizes, hostile text, broken statuses.

#include "controller/core/reconcile.hpp"

#include <gtest/gtest.h>

#include "controller/core/describe.hpp"
#include "src/base/text.hpp"

namespace atq::core {
namespace {

constexpr TimePoint kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21};

struct Fixture {
  api::LoadTest test;
  api::FrozenSpec frozen;
  ObservedRun run{.number = 1, .network_ready = true, .version = "v1"};
  TimePoint now = kNow;
  bool begun = false;

  Fixture() {
    test.metadata.name = "checkout";
    test.metadata.uid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
    test.metadata.generation = 1;
    frozen.spec.master.emplace();
    frozen.spec.run_policy.cleanup_policy = api::CleanupPolicy::Never;
  }
  void add_workers(int count, ReplicaState state, bool ready) {
    frozen.spec.worker.replicas = count;
    for (int i = 0; i < count; ++i) {
      run.workers.push_back({.index = i, .state = state, .ready = ready});
      run.workers.back().address = "2001:0db8:85a3:0000:0000:8a2e:0370:" + std::to_string(1000 + i);
    }
  }
  Plan pass() {
    test.spec = frozen.spec;
    World world;
    world.test = std::make_shared<const api::LoadTest>(test);
    world.resolved = std::make_shared<const api::FrozenSpec>(frozen);
    if (begun) {
      world.run = world.resolved;
      world.observed = {run};
    }
    world.admission.granted = true;
    Plan plan = reconcile(world, now);
    test.status = plan.status;
    begun = true;
    now += std::chrono::seconds{1};
    return plan;
  }
};

/// As long and as expensive to encode as text may be.
std::string nasty(size_t size) {
  std::string text;
  while (text.size() < size) text += "\"\\\x01\xff\xc3(";
  return text;
}

TEST(Reconcile, KeepsTheLargestStatusSmall) {
  Fixture world;
  world.test.metadata.uid = std::string(64, 'u');
  world.frozen.spec.run_nonce = nasty(4'000);
  world.test.metadata.annotations["atq.dev/stop"] = nasty(200'000);
  world.test.metadata.annotations["atq.dev/rerun"] = nasty(200'000);
  world.frozen.closing.pattern = "x";
  for (int i = 0; i < 64; ++i) {
    world.frozen.spec.thresholds.push_back("p95(latency{label=\"" + std::string(900, 'x') +
                                           std::to_string(i) + "\"}) < 500ms");
  }
  for (int64_t number = 30; number > 0; --number) {
    world.test.status.history.push_back({number, api::Verdict::Aborted, kNow});
  }
  world.test.status.history.resize(api::kMaxHistory);
  world.add_workers(1'000, ReplicaState::Running, true);
  world.pass();
  world.pass();
  world.run.master = Replica{.state = ReplicaState::Inert};
  world.pass();
  world.run.master->state = ReplicaState::Exited;
  world.run.master->exit = Exit{.code = 0, .at = world.now};
  world.run.master->exit->last_lines = {nasty(5'000)};
  world.run.statement = Statement{.requests = 1, .requests_per_second = nasty(500)};
  world.run.results_collected = true;
  const Plan judged = world.pass();
  EXPECT_EQ(judged.status.verdict, api::Verdict::NoData);
  EXPECT_FALSE(judged.status.thresholds.empty());
  EXPECT_EQ(judged.status.workers.addresses.size(), api::kMaxAddresses);
  const std::string json = api::encode_status(judged.status);
  EXPECT_LT(json.size(), api::kMaxStatusBytes);
  EXPECT_TRUE(is_clean_utf8(json));
}

TEST(Reconcile, MarksOfRequestsComeBackFromTheCodecAsTheyWere) {
  for (const size_t size : {1U, 5U, 43U, 127U, 128U, 129U, 1'000U, 200'000U}) {
    for (const std::string& text :
         {nasty(size), std::string(size, 'x'), std::string(size, '\x1f'), std::string(size, '"')}) {
      Fixture world;
      world.frozen.spec.run_nonce = text;
      world.test.metadata.annotations["atq.dev/rerun"] = text;
      world.test.metadata.annotations["atq.dev/stop"] = text;
      const api::RunStatus written = world.pass().status.run;
      const std::string json = api::encode_status(world.test.status);
      EXPECT_LT(json.size(), api::kMaxStatusBytes);
      const auto read = api::decode_status(json);
      ASSERT_TRUE(read);
      EXPECT_FALSE(read->run.nonce.empty());
      EXPECT_EQ(read->run.nonce, written.nonce) << size;
      EXPECT_EQ(read->run.rerun_token, written.rerun_token) << size;
      EXPECT_EQ(read->run.stop_request, written.stop_request) << size;
      // Read back, it asks for nothing that has been served.
      world.test.status = *read;
      EXPECT_EQ(world.pass().status.run.number, written.number) << size;
    }
  }
}

TEST(Reconcile, ShowsHostileOutputAsPrintableText) {
  Fixture world;
  world.add_workers(3, ReplicaState::Exited, false);
  for (Replica& worker : world.run.workers) {
    worker.exit = Exit{.code = 1, .at = kNow};
    worker.exit->last_lines = {nasty(10'000)};
  }
  world.pass();
  const Plan plan = world.pass();
  EXPECT_EQ(plan.status.reason, "WorkerExited");
  EXPECT_TRUE(is_clean_utf8(plan.status.message));
  EXPECT_LE(plan.status.message.size(), 400U);
  for (const Event& event : plan.events) EXPECT_TRUE(is_clean_utf8(event.message));
}

TEST(Reconcile, TellsTheProblemOfARunOnce) {
  Fixture world;
  world.add_workers(1, ReplicaState::Starting, false);
  world.run.workers[0].address.clear();
  world.run.problem = "FailedMount: no plans";
  world.pass();
  world.run.workers[0].not_ready_because = "its pod is not created yet";
  EXPECT_TRUE(world.pass().status.message.ends_with(
      "FailedMount: no plans; worker 0: its pod is not created yet"))
      << world.test.status.message;
  world.run.workers[0].not_ready_because = world.run.problem;
  const std::string told = world.pass().status.message;
  EXPECT_TRUE(told.ends_with("worker 0: FailedMount: no plans")) << told;
  EXPECT_EQ(told.find("FailedMount"), told.rfind("FailedMount")) << told;
}

TEST(Reconcile, TakesTheLastLineWithWordsForAToolsLastWords) {
  Exit exit{.code = 1, .at = kNow};
  exit.last_lines = {"120 GET /fail: HTTPError", "-----|------", " \t", "| |"};
  EXPECT_TRUE(describe(exit).ends_with(": 120 GET /fail: HTTPError")) << describe(exit);
  exit.last_lines = {"größer", "…", "==="};
  EXPECT_TRUE(describe(exit).ends_with(": …")) << describe(exit);
  exit.last_lines = {"---"};
  EXPECT_EQ(describe(exit).find("---"), std::string::npos) << describe(exit);
}

TEST(Reconcile, MendsBrokenConditions) {
  Fixture world;
  world.test.status.conditions = {{.type = api::ConditionType::Stalled},
                                  {.type = api::ConditionType::Accepted},
                                  {.type = api::ConditionType::Stalled}};
  const Plan plan = world.pass();
  ASSERT_EQ(plan.status.conditions.size(), api::kConditionCount);
  for (size_t i = 0; i < api::kConditionCount; ++i) {
    EXPECT_EQ(plan.status.conditions[i].type, static_cast<api::ConditionType>(i));
    EXPECT_FALSE(plan.status.conditions[i].reason.empty());
    EXPECT_EQ(plan.status.conditions[i].observed_generation, 1);
  }
}

TEST(Reconcile, MovesTransitionTimesOnlyWithTheirStatus) {
  Fixture world;
  const Plan first = world.pass();
  world.test.metadata.generation = 2;
  const Plan second = world.pass();
  const auto* before = api::find_condition(first.status, api::ConditionType::Accepted);
  const auto* after = api::find_condition(second.status, api::ConditionType::Accepted);
  EXPECT_EQ(before->last_transition_time, after->last_transition_time);
  EXPECT_EQ(after->observed_generation, 2);
}

TEST(Reconcile, EndsARunWhoseEndNobodySaw) {
  Fixture world;
  world.add_workers(1, ReplicaState::Running, true);
  world.pass();
  world.pass();
  world.run.master = Replica{.state = ReplicaState::Exited};
  world.run.results_collected = true;
  const Plan plan = world.pass();
  EXPECT_EQ(plan.status.verdict, api::Verdict::Error);
  EXPECT_EQ(plan.status.reason, "MasterFailed");
}

TEST(Reconcile, BearsTimesAtTheEdges) {
  for (const TimePoint now : {TimePoint::min(), TimePoint{}, TimePoint::max()}) {
    Fixture world;
    world.now = now;
    world.add_workers(2, ReplicaState::Running, true);
    World seen;
    world.test.spec = world.frozen.spec;
    seen.test = std::make_shared<const api::LoadTest>(world.test);
    seen.resolved = std::make_shared<const api::FrozenSpec>(world.frozen);
    seen.admission.granted = true;
    EXPECT_EQ(reconcile(seen, now).status.run.number, 1);
  }
}

TEST(Reconcile, NamesEveryAction) {
  EXPECT_EQ(name_of(BeginRun{}), "BeginRun");
  EXPECT_EQ(name_of(EnsureWorkers{}), "EnsureWorkers");
  EXPECT_EQ(name_of(EnsureChecks{}), "EnsureChecks");
  EXPECT_EQ(name_of(EnsureMaster{}), "EnsureMaster");
  EXPECT_EQ(name_of(Release{}), "Release");
  EXPECT_EQ(name_of(StopChecks{}), "StopChecks");
  EXPECT_EQ(name_of(Stop{}), "Stop");
  EXPECT_EQ(name_of(Collect{}), "Collect");
  EXPECT_EQ(name_of(RemoveRun{}), "RemoveRun");
  EXPECT_EQ(name_of(Finalize{}), "Finalize");
}

}  // namespace
}  // namespace atq::core
