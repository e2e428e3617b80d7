// The CRD itself: what an API server asks of a structural schema, and that it agrees with the C++.

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <re2/re2.h>
#include <yaml-cpp/yaml.h>

#include "controller/api/codec.hpp"
#include "controller/api/schema.hpp"
#include "controller/api/validation.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

json schema() { return json::parse(schema_json()); }

YAML::Node crd() {
  return YAML::LoadFile(std::string(ATQ_SOURCE_DIR) + "/crd/loadtests.atq.dev.yaml");
}

/// Calls `body(path, node)` for each schema node, owners first.
void for_each_node(const json& node, const std::string& path, const auto& body) {
  body(path, node);
  const auto descend = [&](const json& child, const std::string& at) {
    for_each_node(child, at, body);
  };
  if (node.contains("properties")) {
    for (const auto& [name, child] : node.at("properties").items()) {
      descend(child, path + "." + name);
    }
  }
  if (node.contains("items")) descend(node.at("items"), path + "[]");
  if (node.contains("additionalProperties")) {
    descend(node.at("additionalProperties"), path + "{}");
  }
}

bool is_head(const std::string& path) {
  return path == ".apiVersion" || path == ".kind" || path == ".metadata";
}

TEST(Crd, NamesTheObject) {
  const auto spec = crd()["spec"];
  EXPECT_EQ(crd()["metadata"]["name"].as<std::string>(), "loadtests.atq.dev");
  EXPECT_EQ(spec["group"].as<std::string>(), "atq.dev");
  EXPECT_EQ(spec["scope"].as<std::string>(), "Namespaced");
  EXPECT_EQ(spec["names"]["plural"].as<std::string>(), "loadtests");
  EXPECT_EQ(spec["names"]["kind"].as<std::string>(), kKind);
  EXPECT_EQ(spec["names"]["shortNames"][0].as<std::string>(), "ltest");
  EXPECT_EQ(spec["names"]["categories"][0].as<std::string>(), "all");
  ASSERT_EQ(spec["versions"].size(), 1U);
  const auto version = spec["versions"][0];
  EXPECT_EQ("atq.dev/" + version["name"].as<std::string>(), kApiVersion);
  EXPECT_TRUE(version["served"].as<bool>() && version["storage"].as<bool>());
  EXPECT_TRUE(version["subresources"]["status"].IsMap());
}

TEST(Crd, ColumnsPointAtFields) {
  const auto columns = crd()["spec"]["versions"][0]["additionalPrinterColumns"];
  std::vector<std::string> names;
  for (const auto& column : columns) {
    names.push_back(column["name"].as<std::string>());
    auto path = column["jsonPath"].as<std::string>();
    if (path == ".metadata.creationTimestamp") continue;
    RE2::GlobalReplace(&path, "\\.", "/properties/");
    EXPECT_TRUE(schema().contains(json::json_pointer(path))) << path;
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"Phase", "Verdict", "Workers", "RPS", "P95", "ERR%", "Age"}));
}

TEST(Crd, UsesOnlyKeywordsOfStructuralSchemas) {
  const std::set<std::string> allowed = {"type",
                                         "properties",
                                         "items",
                                         "additionalProperties",
                                         "required",
                                         "enum",
                                         "default",
                                         "title",
                                         "pattern",
                                         "format",
                                         "minimum",
                                         "maximum",
                                         "minLength",
                                         "maxLength",
                                         "minItems",
                                         "maxItems",
                                         "minProperties",
                                         "maxProperties",
                                         "x-kubernetes-validations",
                                         "x-kubernetes-list-type",
                                         "x-kubernetes-list-map-keys",
                                         "x-kubernetes-preserve-unknown-fields"};
  for_each_node(schema(), "", [&](const std::string& path, const json& node) {
    for (const auto& [keyword, value] : node.items()) {
      EXPECT_TRUE(allowed.contains(keyword)) << path << ": " << keyword;
    }
    EXPECT_TRUE(node.contains("type")) << path;
    EXPECT_FALSE(node.contains("properties") && node.contains("additionalProperties")) << path;
  });
}

TEST(Crd, HasTheRightPartsForEachType) {
  for_each_node(schema(), "", [](const std::string& path, const json& node) {
    const auto type = node.at("type").get<std::string>();
    const bool open = node.value("x-kubernetes-preserve-unknown-fields", false);
    if (type == "object" && !is_head(path)) {
      EXPECT_TRUE(node.contains("properties") || node.contains("additionalProperties") || open)
          << path;
    }
    EXPECT_EQ(type == "array", node.contains("items")) << path;
    EXPECT_EQ(type == "array", node.contains("x-kubernetes-list-type")) << path;
    for (const auto& name : node.value("required", json::array())) {
      EXPECT_TRUE(node.at("properties").contains(name)) << path << "." << name;
    }
  });
}

TEST(Crd, BoundsEverything) {
  for_each_node(schema(), "", [](const std::string& path, const json& node) {
    if (is_head(path)) return;
    const auto type = node.at("type").get<std::string>();
    if (type == "string") {
      EXPECT_TRUE(node.contains("enum") || node.contains("maxLength")) << path;
    } else if (type == "array") {
      EXPECT_TRUE(node.contains("maxItems")) << path;
    } else if (type == "integer") {
      EXPECT_TRUE(node.contains("minimum")) << path;
      EXPECT_TRUE(node.contains("maximum") || path.starts_with(".status")) << path;
    } else if (node.contains("additionalProperties")) {
      EXPECT_TRUE(node.contains("maxProperties")) << path;
    }
  });
}

TEST(Crd, ListMapsHaveTheirKeys) {
  for_each_node(schema(), "", [](const std::string& path, const json& node) {
    const bool is_map = node.value("x-kubernetes-list-type", "") == "map";
    EXPECT_EQ(is_map, node.contains("x-kubernetes-list-map-keys")) << path;
    if (!is_map) return;
    const auto& items = node.at("items");
    ASSERT_EQ(node.at("x-kubernetes-list-map-keys").size(), 1U) << path;
    const auto& key = node.at("x-kubernetes-list-map-keys").at(0);
    EXPECT_NE(std::ranges::find(items.at("required"), key), items.at("required").end()) << path;
  });
}

TEST(Crd, PatternsCompileAndAreExplained) {
  for_each_node(schema(), "", [](const std::string& path, const json& node) {
    if (!node.contains("pattern")) return;
    const auto pattern = node.at("pattern").get<std::string>();
    EXPECT_TRUE(RE2(pattern).ok()) << path;
    EXPECT_TRUE(pattern.starts_with('^') && pattern.ends_with('$')) << path;
    EXPECT_TRUE(node.contains("title")) << path << ": a pattern needs words for people";
  });
}

TEST(Crd, RulesHaveIdsThatTheValidatorKnows) {
  std::set<std::string> ids;
  for_each_node(schema(), "", [&](const std::string& path, const json& node) {
    for (const auto& rule : node.value("x-kubernetes-validations", json::array())) {
      std::string id;
      EXPECT_TRUE(
          RE2::PartialMatch(rule.at("message").get<std::string>(), "^([a-z][a-z-]+): .", &id))
          << path << ": " << rule.at("message");
      EXPECT_TRUE(ids.insert(id).second || path.find("files") != std::string::npos ||
                  path.find("env") != std::string::npos)
          << id << " stands in two places";
    }
  });
  const auto known = rule_ids();
  EXPECT_EQ(std::vector<std::string>(ids.begin(), ids.end()), known);
}

// ---- defaults -----------------------------------------------------------------------------------

/// Fills in what the schema has as defaults, as an API server does.
void apply_defaults(const json& node, json& value) {
  if (value.is_array() && node.contains("items")) {
    for (auto& item : value) apply_defaults(node.at("items"), item);
  }
  if (!value.is_object() || !node.contains("properties")) return;
  for (const auto& [name, property] : node.at("properties").items()) {
    if (!value.contains(name) && property.contains("default")) value[name] = property["default"];
    if (value.contains(name)) apply_defaults(property, value[name]);
  }
}

/// Every list with one item and every optional object that has a default in it.
json minimal_with_all_parents() {
  return json::parse(R"({
    "apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest", "metadata": {"name": "a"},
    "spec": {
      "worker": {
        "command": ["a"], "readiness": {"httpGet": {"port": 1}},
        "ports": [{"name": "p", "containerPort": 1}]},
      "master": {"command": ["a"], "ports": [{"name": "p", "containerPort": 1}]},
      "healthCheck": {"checks": [
        {"name": "a", "http": {"port": 1}},
        {"name": "b", "exec": {"command": ["x"], "expect": {}}}]},
      "swarm": {}, "process": {}}})");
}

TEST(CrdDefaults, AreThoseOfTheTypes) {
  const auto plain = minimal_with_all_parents();
  auto defaulted = plain;
  apply_defaults(schema(), defaulted);
  ASSERT_NE(defaulted, plain);
  EXPECT_EQ(to_string(check_schema(defaulted)), "");
  const auto from_types = decode_json(plain.dump());
  const auto from_schema = decode_json(defaulted.dump());
  EXPECT_EQ(to_string(from_schema.problems), "");
  EXPECT_EQ(from_types.test, from_schema.test) << defaulted.dump(2);
}

/// A default that the test above does not reach, or that its C++ field does not follow, shows here:
/// each is changed in turn, and the decoded object must change with it.
TEST(CrdDefaults, EachIsReadByTheDecoder) {
  auto defaulted = minimal_with_all_parents();
  apply_defaults(schema(), defaulted);
  const auto original = decode_json(defaulted.dump()).test;
  int count = 0;
  for_each_node(schema(), "", [&](const std::string& path, const json& node) {
    if (!node.contains("default") || node.at("default").is_object()) return;
    auto pointer = path;
    RE2::GlobalReplace(&pointer, "\\[\\]", "/0");
    RE2::GlobalReplace(&pointer, "\\.", "/");
    auto place = json::json_pointer(pointer);
    if (!defaulted.contains(place)) {  // the second check is the exec one
      RE2::GlobalReplace(&pointer, "checks/0", "checks/1");
      place = json::json_pointer(pointer);
    }
    ASSERT_TRUE(defaulted.contains(place)) << path << " is not covered by the minimal document";
    auto changed = defaulted;
    auto& value = changed.at(place);
    if (value.is_boolean()) {
      value = !value.get<bool>();
    } else if (value.is_number()) {
      value = value.get<int>() + 1;
    } else if (node.contains("enum")) {
      value = node.at("enum").at(value == node.at("enum").at(0) ? 1 : 0);
    } else {
      value = value.get<std::string>() + "x";
    }
    EXPECT_NE(decode_json(changed.dump()).test.spec, original.spec) << path;
    ++count;
  });
  EXPECT_GE(count, 20);
}

}  // namespace
}  // namespace atq::api
