#include "src/runtimes/kubernetes/merge.hpp"

#include <array>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr std::string_view kPatch = "$patch";

struct ListKey {
  std::string_view list, key;
};
// core/v1 types.go, the lists below PodTemplateSpec that have a patchMergeKey. Their names are
// unique but for `ports` and `volumeDevices`, which mean one thing each within a pod.
constexpr std::array<ListKey, 14> kListKeys{{{"containers", "name"},
                                             {"initContainers", "name"},
                                             {"ephemeralContainers", "name"},
                                             {"volumes", "name"},
                                             {"env", "name"},
                                             {"ports", "containerPort"},
                                             {"volumeMounts", "mountPath"},
                                             {"volumeDevices", "devicePath"},
                                             {"imagePullSecrets", "name"},
                                             {"hostAliases", "ip"},
                                             {"topologySpreadConstraints", "topologyKey"},
                                             {"resourceClaims", "name"},
                                             {"schedulingGates", "name"},
                                             {"ownerReferences", "uid"}}};

std::string_view key_of(std::string_view list) {
  for (const auto& entry : kListKeys) {
    if (entry.list == list) return entry.key;
  }
  return {};
}

std::unexpected<Error> invalid(const std::string& path, const std::string& what) {
  return fail(ErrorKind::Invalid, "podTemplate" + path + ": " + what);
}

std::string directive_of(const Json& value) {
  const auto found = value.find(kPatch);
  return found != value.end() && found->is_string() ? found->get<std::string>() : "";
}

Json without_directive(Json value) {
  value.erase(std::string(kPatch));
  return value;
}

Json* find_element(Json& list, const std::string& key, const Json& wanted) {
  for (Json& element : list) {
    if (element.is_object() && element.contains(key) && element[key] == wanted) return &element;
  }
  return nullptr;
}

class Merger {
 public:
  Result<void> object(Json& ours, const Json& patch, const std::string& path, int depth) {
    if (depth > kMaxDepth) return invalid(path, "nested too deep");
    if (!ours.is_object()) ours = Json::object();
    const std::string directive = directive_of(patch);
    if (directive == "replace") {
      ours = without_directive(patch);
      return {};
    }
    if (directive == "delete") {
      ours = Json::object();
      return {};
    }
    if (auto known = check_directive(directive, path); !known) return known;
    for (const auto& [name, value] : patch.items()) {
      if (name == kPatch) continue;
      if (name.starts_with('$')) return invalid(path, name + " is not supported");
      if (auto merged = member(ours, name, value, path + "." + name, depth); !merged) return merged;
    }
    return {};
  }

 private:
  static Result<void> check_directive(const std::string& directive, const std::string& path) {
    if (directive.empty() || directive == "merge") return {};
    return invalid(path, "$patch: found \"" + directive + "\", expected merge, replace or delete");
  }

  Result<void> member(Json& ours, const std::string& name, const Json& value,
                      const std::string& path, int depth) {
    if (value.is_null()) {
      ours.erase(name);
      return {};
    }
    const std::string_view key = key_of(name);
    if (value.is_array() && !key.empty()) {
      Json& list = ours[name];
      if (!list.is_array()) list = Json::array();
      return keyed_list(list, value, std::string(key), path, depth);
    }
    if (value.is_object()) {
      if (directive_of(value) == "delete") {
        ours.erase(name);
        return {};
      }
      return object(ours[name], value, path, depth + 1);
    }
    ours[name] = value;
    return {};
  }

  Result<void> keyed_list(Json& ours, const Json& patch, const std::string& key,
                          const std::string& path, int depth) {
    for (const Json& element : patch) {
      if (!element.is_object()) return invalid(path, "found an element that is no object");
      if (directive_of(element) == "replace" && !element.contains(key)) ours = Json::array();
    }
    for (const Json& element : patch) {
      const std::string directive = directive_of(element);
      if (directive == "replace" && !element.contains(key)) continue;
      if (auto merged = one(ours, element, key, path, depth); !merged) return merged;
    }
    return {};
  }

  Result<void> one(Json& ours, const Json& element, const std::string& key, const std::string& path,
                   int depth) {
    const auto named = element.find(key);
    if (named == element.end()) return invalid(path, "an element has no " + key);
    const std::string where =
        path + "[" + (named->is_string() ? named->get<std::string>() : named->dump()) + "]";
    Json* found = find_element(ours, key, *named);
    if (directive_of(element) == "delete") {
      if (found != nullptr) ours.erase(ours.begin() + (found - &ours[0]));
      return {};
    }
    if (found == nullptr) {
      ours.push_back(Json::object());
      found = &ours.back();
    }
    return object(*found, element, where, depth + 1);
  }
};

}  // namespace

Result<void> merge_pod_template(Json& ours, const Json& patch) {
  if (!patch.is_object()) return invalid("", "expected an object");
  return Merger().object(ours, patch, "", 0);
}

}  // namespace atq::kubernetes
