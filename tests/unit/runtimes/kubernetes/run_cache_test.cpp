#include "src/runtimes/kubernetes/run_cache.hpp"

#include <gtest/gtest.h>

#include "tests/unit/runtimes/kubernetes/cluster_objects.hpp"

namespace atq::kubernetes {
namespace {

using namespace test;

class Cache : public ::testing::Test {
 protected:
  std::string release() const {
    const RunObjects* run = cache_.find(kKey);
    const auto job = run == nullptr ? decltype(run->jobs.end()){} : run->jobs.find(Part::Master);
    return run == nullptr || job == run->jobs.end() ? "none" : job->second.release;
  }
  static Json master(int version, const char* release) {
    Json json = job(Part::Master, version);
    json["metadata"]["annotations"][std::string(kReleaseAnnotation)] = release;
    return json;
  }
  RunCache cache_;
};

TEST_F(Cache, AnOldEventDoesNotTakeAWriteBack) {
  EXPECT_TRUE(cache_.note(Kind::Job, master(12, "released")));
  EXPECT_FALSE(cache_.upsert(Kind::Job, master(9, "nonce")));
  EXPECT_EQ(release(), "released");
  EXPECT_FALSE(cache_.upsert(Kind::Job, master(12, "released")));
  EXPECT_TRUE(cache_.upsert(Kind::Job, master(100, "stopped")));
  EXPECT_EQ(release(), "stopped");
}

TEST_F(Cache, ALateAnswerDoesNotBringBackWhatIsGone) {
  cache_.upsert(Kind::Job, master(5, "a"));
  EXPECT_TRUE(cache_.remove(Kind::Job, master(7, "a")));
  EXPECT_FALSE(cache_.note(Kind::Job, master(6, "a")));
  EXPECT_EQ(release(), "none");
  // Another of the same name is another.
  Json next = master(9, "b");
  next["metadata"]["uid"] = "second";
  EXPECT_TRUE(cache_.upsert(Kind::Job, next));
  EXPECT_EQ(release(), "b");
}

TEST_F(Cache, AListTakesAwayWhatItDoesNotHave) {
  cache_.upsert(Kind::Job, job(Part::Worker, 2));
  cache_.upsert(Kind::Job, master(3, "a"));
  RunCache::Replacement list{.kind = Kind::Job, .ns = "perf", .seen = {}};
  cache_.replace_add(list, job(Part::Worker, 2));
  std::vector<DoubtfulObject> doubtful;
  EXPECT_EQ(cache_.replace_end(list, doubtful), std::vector<RunKey>{kKey});
  EXPECT_TRUE(doubtful.empty());
  EXPECT_EQ(release(), "none");
  // A list of another namespace says nothing of this one.
  RunCache::Replacement other{.kind = Kind::Job, .ns = "elsewhere", .seen = {}};
  EXPECT_TRUE(cache_.replace_end(other, doubtful).empty());
}

TEST_F(Cache, AListOlderThanAWriteMakesItDoubtfulOnly) {
  cache_.note(Kind::Job, master(8, "a"));
  RunCache::Replacement list{.kind = Kind::Job, .ns = "", .seen = {}};
  std::vector<DoubtfulObject> doubtful;
  EXPECT_TRUE(cache_.replace_end(list, doubtful).empty());
  ASSERT_EQ(doubtful.size(), 1U);
  EXPECT_EQ(doubtful[0].name, object_name(kRunName, Part::Master));
  EXPECT_EQ(release(), "a");
  EXPECT_TRUE(cache_.forget(Kind::Job, "perf", doubtful[0].name));
  EXPECT_EQ(release(), "none");
}

TEST_F(Cache, NothingIsLeftOfARunThatIsGone) {
  cache_.upsert(Kind::Service, service({}));
  cache_.upsert(Kind::Pod, pod(Part::Worker, 0, 3));
  EXPECT_EQ(cache_.runs_of("uid-1"), std::vector<RunKey>{kKey});
  cache_.remove(Kind::Service, service({}, 4));
  cache_.drop_if_empty(kKey);
  EXPECT_NE(cache_.find(kKey), nullptr);
  cache_.remove(Kind::Pod, pod(Part::Worker, 0, 5));
  cache_.drop_if_empty(kKey);
  EXPECT_EQ(cache_.find(kKey), nullptr);
  EXPECT_TRUE(cache_.runs_of("uid-1").empty());
}

TEST_F(Cache, WhatIsNotOursOrBrokenIsPassedOver) {
  for (const char* text : {"null", "[]", "{}", R"({"metadata":3})", R"({"metadata":{"labels":[]}})",
                           R"({"metadata":{"name":"x","labels":{"atq.dev/run":"one"}}})"}) {
    const Json json = Json::parse(text);
    for (const Kind kind : {Kind::Service, Kind::Job, Kind::Pod}) {
      EXPECT_FALSE(cache_.upsert(kind, json)) << text;
      EXPECT_FALSE(cache_.remove(kind, json)) << text;
    }
  }
  Json foreign = job(Part::Worker);
  foreign["metadata"]["labels"][std::string(kManagedBy)] = "helm";
  EXPECT_FALSE(cache_.upsert(Kind::Job, foreign));
  Json negative = job(Part::Worker);
  negative["metadata"]["labels"][std::string(kRunLabel)] = "-4";
  EXPECT_FALSE(cache_.upsert(Kind::Job, negative));
  EXPECT_TRUE(cache_.runs().empty());
}

}  // namespace
}  // namespace atq::kubernetes
