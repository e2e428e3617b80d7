#include "src/locks/kube_lease/lease_object.hpp"

#include <nlohmann/json.hpp>

namespace atq::locks {

namespace {

using nlohmann::json;

const json& member(const json& object, const char* key) {
  static const json nothing;
  if (!object.is_object()) {
    return nothing;
  }
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string text(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

int64_t number(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

}  // namespace

SeenLease read_lease(const json& object) {
  const json& spec = member(object, "spec");
  return {.record = {.holder = text(spec, "holderIdentity"),
                     .lease_seconds = number(spec, "leaseDurationSeconds"),
                     .acquired = parse_rfc3339(text(spec, "acquireTime")).value_or(TimePoint{}),
                     .renewed = parse_rfc3339(text(spec, "renewTime")).value_or(TimePoint{}),
                     .transitions = number(spec, "leaseTransitions")},
          .version = text(member(object, "metadata"), "resourceVersion")};
}

json write_lease(json object, const std::string& ns, const std::string& name,
                 const LeaseRecord& record) {
  if (!object.is_object()) {
    object = {{"apiVersion", "coordination.k8s.io/v1"},
              {"kind", "Lease"},
              {"metadata", {{"name", name}, {"namespace", ns}}}};
  }
  json& spec = object["spec"];
  if (!spec.is_object()) {
    spec = json::object();
  }
  spec["holderIdentity"] = record.holder;
  spec["leaseDurationSeconds"] = record.lease_seconds;
  spec["acquireTime"] = to_rfc3339_micros(record.acquired);
  spec["renewTime"] = to_rfc3339_micros(record.renewed);
  spec["leaseTransitions"] = record.transitions;
  return object;
}

}  // namespace atq::locks
