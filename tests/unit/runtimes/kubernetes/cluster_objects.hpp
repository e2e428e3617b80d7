#pragma once
// Objects as an API server sends them, for tests.

#include <string>

#include <nlohmann/json.hpp>

#include "controller/api/profile.hpp"
#include "src/runtimes/kubernetes/names.hpp"
#include "src/runtimes/kubernetes/record.hpp"
#include "src/runtimes/kubernetes/run_cache.hpp"

namespace atq::kubernetes::test {

using Json = nlohmann::json;

inline const core::RunId kRun{"uid-1", 4};
inline const std::string kRunName = run_name(kRun, "checkout");
inline const RunKey kKey{"perf", kRunName};

inline Json object(Part part, const std::string& name, const std::string& uid, int version) {
  return {{"metadata",
           {{"namespace", "perf"},
            {"name", name},
            {"uid", uid},
            {"resourceVersion", std::to_string(version)},
            {"labels", labels_of(kRun, "checkout", part)},
            {"annotations", Json::object()}}},
          {"status", Json::object()}};
}

inline Json service(const api::FrozenSpec& frozen, int version = 1) {
  Json json = object(Part::Network, kRunName, "svc-uid", version);
  json["metadata"]["annotations"] = {{kKeyAnnotation, "perf/checkout"},
                                     {kUidAnnotation, kRun.uid},
                                     {kFrozenAnnotation, pack(api::encode_frozen(frozen))}};
  return json;
}

inline Json job(Part part, int version = 2) {
  Json json =
      object(part, object_name(kRunName, part), std::string(to_string(part)) + "-uid", version);
  json["metadata"]["ownerReferences"] = {
      {{"kind", "Service"}, {"name", kRunName}, {"uid", "svc-uid"}, {"controller", true}}};
  json["spec"] = Json::object();
  return json;
}

inline Json pod(Part part, int index, int version, const std::string& suffix = "a") {
  const std::string name = object_name(kRunName, part) + "-" + std::to_string(index) + "-" + suffix;
  Json json = object(part, name, "pod-" + name, version);
  json["metadata"]["annotations"][kIndexLabel] = std::to_string(index);
  json["spec"]["containers"] = {
      {{"name", "main"}, {"resources", {{"limits", {{"memory", "64Mi"}}}}}}};
  json["status"] = {{"phase", "Running"},
                    {"podIPs", {{{"ip", "10.0.0." + std::to_string(index + 1)}}}},
                    {"conditions", {{{"type", "PodScheduled"}, {"status", "True"}}}}};
  return json;
}

inline void set_main(Json& pod, const char* state, Json what, bool ready = false) {
  pod["status"]["containerStatuses"] = {
      {{"name", "main"}, {"ready", ready}, {"state", {{state, std::move(what)}}}}};
}

}  // namespace atq::kubernetes::test
