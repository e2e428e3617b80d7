#include "src/kube/objects.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/kube/kube_fixture.hpp"

namespace atq::kube {
namespace {

using fakes::kube::Change;

using ObjectsTest = KubeTest;

Json pod(const std::string& name) {
  return {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", {{"name", name}}}};
}

TEST_F(ObjectsTest, create_get_and_create_again) {
  const auto created = run(create_object(*client, kPods, "a", pod("x")));
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_FALSE(created->at("metadata").at("uid").get<std::string>().empty());
  EXPECT_EQ(run(get_object(*client, kPods, "a", "x")), created);
  const auto again = run(create_object(*client, kPods, "a", pod("x")));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::Conflict);
  EXPECT_TRUE(again.error().message.contains("AlreadyExists")) << again.error().message;
  EXPECT_TRUE(again.error().message.starts_with("create pods/x in a: ")) << again.error().message;
  EXPECT_EQ(run(get_object(*client, kPods, "b", "x")).error().kind, ErrorKind::NotFound);
}

TEST_F(ObjectsTest, a_stale_update_conflicts_and_one_that_changes_nothing_writes_nothing) {
  const Json first = *run(create_object(*client, kPods, "a", pod("x")));
  Json changed = first;
  changed["spec"]["nodeName"] = "n";
  const auto second = run(update_object(*client, kPods, "a", changed));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->at("metadata").at("generation"), 2);
  EXPECT_EQ(run(update_object(*client, kPods, "a", changed)).error().kind, ErrorKind::Conflict);
  EXPECT_EQ(run(update_object(*client, kPods, "a", *second)), second);
}

TEST_F(ObjectsTest, status_is_written_through_its_subresource_only) {
  Json object = pod("x");
  object["status"]["phase"] = "Running";
  EXPECT_FALSE(run(create_object(*client, kPods, "a", object))->contains("status"));
  const Json patch{{"status", {{"phase", "Running"}}}, {"spec", {{"nodeName", "n"}}}};
  const auto patched = run(patch_object(*client, kPods, "a", "x", "status", patch, kMergePatch));
  ASSERT_TRUE(patched);
  EXPECT_EQ(patched->at("status").at("phase"), "Running");
  EXPECT_FALSE(patched->contains("spec"));
  EXPECT_EQ(patched->at("metadata").at("generation"), 1);
}

TEST_F(ObjectsTest, patches_are_conditional_on_what_they_name) {
  const Json first = *run(create_object(*client, kJobs, "a",
                                        Json{{"apiVersion", "batch/v1"},
                                             {"kind", "Job"},
                                             {"metadata", {{"name", "x"}}},
                                             {"spec", {{"suspend", true}}}}));
  Json release{{"metadata", {{"resourceVersion", first["metadata"]["resourceVersion"]}}},
               {"spec", {{"suspend", false}}}};
  ASSERT_TRUE(run(patch_object(*client, kJobs, "a", "x", "", release, kMergePatch)));
  release["spec"]["suspend"] = true;
  EXPECT_EQ(run(patch_object(*client, kJobs, "a", "x", "", release, kMergePatch)).error().kind,
            ErrorKind::Conflict);
  const auto test = Json::parse(R"([{"op":"test","path":"/spec/suspend","value":true},
                                    {"op":"remove","path":"/spec/suspend"}])");
  EXPECT_EQ(run(patch_object(*client, kJobs, "a", "x", "", test, kJsonPatch)).error().kind,
            ErrorKind::Invalid);
}

TEST_F(ObjectsTest, apply_creates_then_merges) {
  Json object = pod("x");
  ASSERT_TRUE(run(apply_object(*client, kPods, "a", object, "director")));
  object["metadata"]["labels"]["app"] = "y";
  const auto applied = run(apply_object(*client, kPods, "a", object, "director"));
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->at("metadata").at("labels").at("app"), "y");
  EXPECT_EQ(api.count("PATCH", "?fieldManager=director&force=true"), 2U);
  object["metadata"].erase("name");
  EXPECT_EQ(run(apply_object(*client, kPods, "a", object, "director")).error().kind,
            ErrorKind::Invalid);
}

TEST_F(ObjectsTest, delete_heeds_preconditions_and_takes_what_is_owned) {
  const Json owner = api.put(kServices, "a", {{"metadata", {{"name", "run"}}}});
  Json owned = pod("x");
  owned["metadata"]["ownerReferences"] =
      Json::array({{{"uid", owner["metadata"]["uid"]}, {"name", "run"}}});
  api.put(kPods, "a", owned);
  EXPECT_EQ(run(delete_object(*client, kServices, "a", "run", {.uid = "other"})).error().kind,
            ErrorKind::Conflict);
  EXPECT_EQ(
      run(delete_object(*client, kServices, "a", "run", {.resource_version = "1"})).error().kind,
      ErrorKind::Conflict);
  ASSERT_TRUE(run(delete_object(*client, kServices, "a", "run",
                                {.uid = owner["metadata"]["uid"].get<std::string>()})));
  EXPECT_TRUE(api.all(kPods).empty());
  EXPECT_EQ(run(delete_object(*client, kServices, "a", "run")).error().kind, ErrorKind::NotFound);
}

TEST_F(ObjectsTest, faults_come_before_or_after_the_effect) {
  api.fail_next({.method = "POST", .after_effect = true});
  EXPECT_EQ(run(create_object(*client, kPods, "a", pod("x"))).error().kind, ErrorKind::Unavailable);
  EXPECT_EQ(api.all(kPods).size(), 1U);
  api.fail_next({.path = "/pods", .status = 429, .retry_after_seconds = 4});
  const auto throttled = run(create_object(*client, kPods, "a", pod("y")));
  EXPECT_EQ(throttled.error().kind, ErrorKind::Throttled);
  EXPECT_EQ(throttled.error().retry_after, std::chrono::seconds{4});
  EXPECT_EQ(api.all(kPods).size(), 1U);
  api.fail_next({.hang = true});
  EXPECT_EQ(run(create_object(*client, kPods, "a", pod("y"))).error().kind, ErrorKind::Timeout);
  EXPECT_TRUE(run(create_object(*client, kPods, "a", pod("y"))));
}

TEST_F(ObjectsTest, a_played_controller_answers_writes) {
  api.on_write([&](const Change& change) {
    if (change.type == Change::Type::Added && change.key.collection == "batch/jobs") {
      Json made = pod(change.key.name + "-0");
      made["status"]["phase"] = "Running";
      api.put(kPods, change.key.ns, made);
    }
  });
  api.put(kJobs, "a", {{"metadata", {{"name", "workers"}}}});
  EXPECT_EQ(api.get(kPods, "a", "workers-0")->at("status").at("phase"), "Running");
  EXPECT_EQ(api.writes(), 0U);
}

TEST_F(ObjectsTest, bad_names_and_labels_are_refused) {
  EXPECT_EQ(run(create_object(*client, kPods, "a", pod("No"))).error().kind, ErrorKind::Invalid);
  Json object = pod("x");
  object["metadata"]["labels"]["app"] = std::string(64, 'x');
  EXPECT_EQ(run(create_object(*client, kPods, "a", object)).error().kind, ErrorKind::Invalid);
}

}  // namespace
}  // namespace atq::kube
