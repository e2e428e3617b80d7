#include "src/stores/kube_crd/objects.hpp"

#include <nlohmann/json.hpp>

#include "controller/api/decode.hpp"

namespace atq::stores::kube {

namespace {

using nlohmann::json;

constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

json parse(const std::string& text) { return json::parse(text, nullptr, false); }

/// To set a version is to ask that it be the stored one.
json version_step(const std::string& version) {
  return {{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", version}};
}

}  // namespace

std::optional<ports::StoredTest> read_test(json object) {
  const auto metadata = object.is_object() ? object.find("metadata") : object.end();
  if (metadata == object.end() || !metadata->is_object()) {
    return std::nullopt;
  }
  metadata->erase("managedFields");
  if (const auto found = metadata->find("annotations");
      found != metadata->end() && found->is_object()) {
    found->erase(kLastApplied);
  }
  api::Document document = api::decode_document(std::move(object));
  const api::ObjectMeta& read = document.test.metadata;
  if (read.name.empty() || read.ns.empty() || read.uid.empty() || read.resource_version.empty()) {
    return std::nullopt;
  }
  return ports::StoredTest{.test = std::move(document.test),
                           .problems = std::move(document.problems)};
}

std::string version_of(const json& object) {
  const json::json_pointer version("/metadata/resourceVersion");
  const bool is_text = object.contains(version) && object.at(version).is_string();
  return is_text ? object.at(version).get<std::string>() : std::string();
}

json new_object(const api::LoadTest& test) {
  json metadata = {{"name", test.metadata.name}, {"namespace", test.metadata.ns}};
  if (!test.metadata.labels.empty()) {
    metadata["labels"] = test.metadata.labels;
  }
  if (!test.metadata.annotations.empty()) {
    metadata["annotations"] = test.metadata.annotations;
  }
  return {{"apiVersion", api::kApiVersion},
          {"kind", api::kKind},
          {"metadata", std::move(metadata)},
          {"spec", parse(api::encode_spec(test.spec))}};
}

json spec_patch(const api::LoadTest& test) {
  json steps = json::array();
  if (!test.metadata.resource_version.empty()) {
    steps.push_back(version_step(test.metadata.resource_version));
  }
  steps.push_back(
      {{"op", "add"}, {"path", "/spec"}, {"value", parse(api::encode_spec(test.spec))}});
  steps.push_back(
      {{"op", "add"}, {"path", "/metadata/labels"}, {"value", json(test.metadata.labels)}});
  return steps;
}

json status_patch(const std::string& uid, const std::string& version,
                  const api::LoadTestStatus& status) {
  return json::array(
      {{{"op", "test"}, {"path", "/metadata/uid"}, {"value", uid}},
       version_step(version),
       {{"op", "add"}, {"path", "/status"}, {"value", parse(api::encode_status(status))}}});
}

json annotation_patch(const ports::AnnotationPatch& patch) {
  json annotations = json::object();
  for (const auto& [name, value] : patch) {
    annotations[name] = value ? json(*value) : json();
  }
  return {{"metadata", {{"annotations", std::move(annotations)}}}};
}

}  // namespace atq::stores::kube
