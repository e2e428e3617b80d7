// What the executor adds to the calls: files of a run, refusals of a release, the status policy.
#include "controller/engine/executor.hpp"

#include <gtest/gtest.h>

#include "controller/engine/status_policy.hpp"
#include "tests/fakes/fake_store.hpp"
#include "tests/fakes/virtual_clock.hpp"

namespace atq::engine {
namespace {

class RunFiles : public ::testing::Test {
 protected:
  Result<std::vector<ports::RunFile>> gather(const api::LoadTestSpec& spec,
                                             bool config_maps = false) {
    return gather_files(store_, {"default", "a"}, spec,
                        {.config_maps = config_maps, .runtime_name = "here"});
  }
  boost::asio::io_context io_;
  fakes::VirtualClock clock_{io_};
  fakes::FakeStore store_{io_, clock_};
};

TEST_F(RunFiles, ComeFromTheObjectAndTheStoreForTheirRoles) {
  store_.add_local_file("./plans/plan.jmx", "/srv/plans/plan.jmx");
  api::LoadTestSpec spec;
  spec.files.push_back({.inline_files = {{"users.csv", "a,b"}}});
  spec.files.push_back({.path = "./plans/plan.jmx"});
  spec.worker.role.files.push_back({.inline_files = {{"role.txt", "worker"}}});
  spec.master.emplace().files.push_back({.inline_files = {{"role.txt", "master"}}});
  const auto files = gather(spec);
  ASSERT_TRUE(files.has_value()) << files.error().message;
  ASSERT_EQ(files->size(), 4U);
  EXPECT_EQ(files->at(0).content, "a,b");
  EXPECT_EQ(files->at(0).role, std::nullopt);
  EXPECT_EQ(files->at(1).name, "plan.jmx");
  EXPECT_EQ(files->at(1).local_path, "/srv/plans/plan.jmx");
  EXPECT_EQ(files->at(2).role, core::Role::Worker);
  EXPECT_EQ(files->at(3).role, core::Role::Master);
}

TEST_F(RunFiles, WhatIsMissingOrDoubleOrForeignIsSaid) {
  api::LoadTestSpec missing;
  missing.files.push_back({.path = "plan.jmx"});
  EXPECT_EQ(gather(missing).error().message, "files: path plan.jmx: no file plan.jmx");
  EXPECT_EQ(gather(missing).error().kind, ErrorKind::NotFound);
  api::LoadTestSpec twice;
  twice.files.push_back({.inline_files = {{"a", "1"}}});
  twice.worker.role.files.push_back({.inline_files = {{"a", "2"}}});
  EXPECT_EQ(gather(twice).error().message, "files: a is given twice for the worker");
  for (const api::FileSource& source :
       {api::FileSource{.config_map = "x"}, api::FileSource{.secret = "x"},
        api::FileSource{.databind = "x"}}) {
    api::LoadTestSpec foreign;
    foreign.files.push_back(source);
    EXPECT_EQ(gather(foreign).error().kind, ErrorKind::Invalid);
    EXPECT_EQ(gather(foreign, true).has_value(), source.databind.empty());
  }
}

TEST(Release, IsRefusedWhereTheLiveObjectForbidsIt) {
  const core::Release release{.run = {"u", 4}, .role = core::Role::Master, .version = "1"};
  api::LoadTest live;
  live.metadata.uid = "u";
  live.status.run.number = 4;
  EXPECT_EQ(refusal_of_release(release, live), "");
  auto other = live;
  other.metadata.uid = "v";
  EXPECT_NE(refusal_of_release(release, other), "");
  auto deleted = live;
  deleted.metadata.deletion_timestamp.emplace();
  EXPECT_NE(refusal_of_release(release, deleted), "");
  auto next = live;
  next.status.run.number = 5;
  EXPECT_NE(refusal_of_release(release, next), "");
  auto judged = live;
  judged.status.run.collecting_at.emplace();
  EXPECT_NE(refusal_of_release(release, judged), "");
  auto stopped = live;
  stopped.metadata.annotations["atq.dev/stop"] = "4/Graceful";
  EXPECT_NE(refusal_of_release(release, stopped), "");
  stopped.metadata.annotations["atq.dev/stop"] = "3/Now";
  EXPECT_EQ(refusal_of_release(release, stopped), "") << "an old request names another run";
  stopped.metadata.annotations["atq.dev/stop"] = "44/Now";
  EXPECT_EQ(refusal_of_release(release, stopped), "");
}

TEST(StatusPolicy, MilestonesAreUrgentCountsAreNot) {
  api::LoadTestStatus stored;
  stored.conditions = {{.type = api::ConditionType::Accepted}};
  EXPECT_EQ(urgency_of(stored, stored), Urgency::None);
  auto counts = stored;
  counts.workers.ready = 2;
  counts.message = "worker 1 is not ready";
  counts.conditions[0].message = "the same";
  EXPECT_EQ(urgency_of(stored, counts), Urgency::Later);
  auto phase = counts;
  phase.phase = api::Phase::Workers;
  EXPECT_EQ(urgency_of(stored, phase), Urgency::Now);
  auto condition = stored;
  condition.conditions[0].status = api::ConditionStatus::True;
  EXPECT_EQ(urgency_of(stored, condition), Urgency::Now);
  auto milestone = stored;
  milestone.run.stop_request = "1/Now";
  EXPECT_EQ(urgency_of(stored, milestone), Urgency::Now);
}

TEST(StatusPolicy, VerdictIsDurableBeforeWhatFollowsFromIt) {
  api::LoadTestStatus stored;
  stored.run.number = 1;
  auto starting = stored;
  starting.run.number = 2;
  EXPECT_FALSE(must_write_first(stored, starting, {core::EnsureWorkers{{"u", 2}}}));
  EXPECT_TRUE(must_write_first(stored, starting, {core::Release{.run = {"u", 2}}}));
  auto judged = stored;
  judged.verdict = api::Verdict::Error;
  judged.run.collecting_at.emplace();
  EXPECT_TRUE(must_write_first(stored, judged, {core::Stop{.run = {"u", 1}}}));
  auto finished = stored;
  finished.run.finished_at.emplace();
  EXPECT_TRUE(must_write_first(stored, finished, {}));
}

}  // namespace
}  // namespace atq::engine
