#include "src/runtimes/kubernetes/merge.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

std::string merged(const char* ours, const char* patch) {
  Json json = Json::parse(ours);
  const auto done = merge_pod_template(json, Json::parse(patch));
  return done ? json.dump() : "refused: " + done.error().message;
}

TEST(Merge, ObjectsAreMergedAndNullDeletes) {
  EXPECT_EQ(merged(R"({"spec":{"a":1,"b":{"c":2,"d":3}}})", R"({"spec":{"a":null,"b":{"c":4}}})"),
            R"({"spec":{"b":{"c":4,"d":3}}})");
  EXPECT_EQ(merged(R"({"spec":{}})", R"({"spec":{"nodeSelector":{"pool":"load"}}})"),
            R"({"spec":{"nodeSelector":{"pool":"load"}}})");
}

TEST(Merge, ListsAreMergedByTheirKey) {
  EXPECT_EQ(
      merged(R"({"spec":{"containers":[{"name":"main","image":"a"}]}})",
             R"({"spec":{"containers":[{"name":"side","image":"b"},{"name":"main","tty":true}]}})"),
      R"({"spec":{"containers":[{"image":"a","name":"main","tty":true},{"image":"b","name":"side"}]}})");
  EXPECT_EQ(merged(R"({"env":[{"name":"A","value":"1"}]})",
                   R"({"env":[{"name":"A","value":"2"},{"name":"B","value":"3"}]})"),
            R"({"env":[{"name":"A","value":"2"},{"name":"B","value":"3"}]})");
  EXPECT_EQ(merged(R"({"ports":[{"containerPort":1,"name":"x"}]})",
                   R"({"ports":[{"containerPort":1,"name":"y"}]})"),
            R"({"ports":[{"containerPort":1,"name":"y"}]})");
  EXPECT_EQ(merged(R"({"volumeMounts":[{"mountPath":"/a","name":"x"}]})",
                   R"({"volumeMounts":[{"mountPath":"/b","name":"y"}]})"),
            R"({"volumeMounts":[{"mountPath":"/a","name":"x"},{"mountPath":"/b","name":"y"}]})");
}

TEST(Merge, OtherListsAreReplaced) {
  EXPECT_EQ(merged(R"({"tolerations":[{"key":"a"}],"args":["x"]})",
                   R"({"tolerations":[{"key":"b"}],"args":["y","z"]})"),
            R"({"args":["y","z"],"tolerations":[{"key":"b"}]})");
}

TEST(Merge, DirectivesDeleteAndReplace) {
  EXPECT_EQ(
      merged(R"({"containers":[{"name":"a"},{"name":"b"}]})",
             R"({"containers":[{"name":"a","$patch":"delete"},{"name":"zz","$patch":"delete"}]})"),
      R"({"containers":[{"name":"b"}]})");
  EXPECT_EQ(merged(R"({"env":[{"name":"A","value":"1"}]})",
                   R"({"env":[{"$patch":"replace"},{"name":"B","value":"2"}]})"),
            R"({"env":[{"name":"B","value":"2"}]})");
  EXPECT_EQ(merged(R"({"securityContext":{"runAsUser":1,"fsGroup":2}})",
                   R"({"securityContext":{"$patch":"replace","runAsUser":3}})"),
            R"({"securityContext":{"runAsUser":3}})");
  EXPECT_EQ(merged(R"({"affinity":{"a":1}})", R"({"affinity":{"$patch":"delete"}})"), R"({})");
}

TEST(Merge, WhatItDoesNotKnowIsRefused) {
  EXPECT_EQ(merged(R"({})", R"({"spec":{"containers":[{"image":"a"}]}})"),
            "refused: podTemplate.spec.containers: an element has no name");
  EXPECT_EQ(merged(R"({})", R"({"spec":{"$setElementOrder/containers":[]}})"),
            "refused: podTemplate.spec: $setElementOrder/containers is not supported");
  EXPECT_EQ(merged(R"({})", R"({"spec":{"$patch":"burn"}})"),
            "refused: podTemplate.spec: $patch: found \"burn\", expected merge, replace or delete");
  EXPECT_EQ(merged(R"({})", R"([])"), "refused: podTemplate: expected an object");
  EXPECT_EQ(merged(R"({})", R"({"containers":["x"]})"),
            "refused: podTemplate.containers: found an element that is no object");
  std::string deep;
  for (int i = 0; i < 60; ++i) deep += R"({"a":)";
  deep += "1" + std::string(60, '}');
  EXPECT_NE(merged("{}", deep.c_str()).find("nested too deep"), std::string::npos);
}

}  // namespace
}  // namespace atq::kubernetes
