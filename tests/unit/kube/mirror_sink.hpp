#pragma once
// A sink that keeps what it is told, and holds the reflector to the promises of ObjectSink.

#include <map>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/kube/reflector.hpp"
#include "src/kube/resource_version.hpp"

namespace atq::kube {

class MirrorSink final : public ObjectSink {
 public:
  using Objects = std::map<std::string, nlohmann::json>;  // by "namespace/name"

  void replace_begin() override { replacement = Objects(); }
  void replace_add(nlohmann::json object) override {
    ASSERT_TRUE(replacement) << "an add without its begin";
    put(*replacement, std::move(object));
  }
  void replace_end() override {
    ASSERT_TRUE(replacement) << "an end without its begin";
    for (const auto& [key, object] : *replacement) {
      expect_no_older(key, object);
    }
    objects = *std::exchange(replacement, std::nullopt);
    ++replaced;
  }
  void upsert(nlohmann::json object) override {
    ASSERT_FALSE(replacement) << "an upsert within a replacement";
    expect_no_older(key_of(object), object);
    put(objects, std::move(object));
  }
  void remove(nlohmann::json last_known) override {
    (replacement ? *replacement : objects).erase(key_of(last_known));
  }

  static std::string key_of(const nlohmann::json& object) {
    const auto& metadata = object.at("metadata");
    return metadata.at("namespace").get<std::string>() + '/' +
           metadata.at("name").get<std::string>();
  }

  Objects objects;
  std::optional<Objects> replacement;
  int replaced = 0;

 private:
  static void put(Objects& into, nlohmann::json object) {
    const std::string key = key_of(object);
    into[key] = std::move(object);
  }
  void expect_no_older(const std::string& key, const nlohmann::json& object) {
    const auto it = objects.find(key);
    if (it == objects.end()) {
      return;
    }
    const auto held = it->second["metadata"]["resourceVersion"].get<std::string>();
    const auto told = object.at("metadata").at("resourceVersion").get<std::string>();
    EXPECT_NE(compare_versions(told, held), std::strong_ordering::less)
        << key << " went back from " << held << " to " << told;
  }
};

}  // namespace atq::kube
