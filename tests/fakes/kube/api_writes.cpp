// The writing half of ApiState.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "src/base/hash.hpp"
#include "tests/fakes/kube/api_state.hpp"
#include "tests/fakes/kube/selector.hpp"

namespace atq::fakes::kube {

namespace {

ApiAnswer refuse(int code, std::string_view reason, std::string_view message) {
  return {code, status_text(code, reason, message)};
}

bool is_name(std::string_view text, size_t limit, std::string_view inner) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= limit && alnum(text.front()) && alnum(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return alnum(c) || inner.contains(c); });
}

bool is_label_value(std::string_view text) {
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return text.empty() || (text.size() <= 63 && alnum(text.front()) && alnum(text.back()) &&
                          std::ranges::all_of(text, [&](char c) {
                            return alnum(c) || c == '-' || c == '_' || c == '.';
                          }));
}

/// "" where the metadata is fine.
std::string problem_of(const std::string& collection, const Json& object) {
  const auto& metadata = object.at("metadata");
  const std::string name = metadata.value("name", "");
  const bool label_like = collection == "/services" || collection == "batch/jobs";
  if (!is_name(name, label_like ? 63 : 253, label_like ? "-" : "-.")) {
    return "metadata.name: Invalid value: \"" + name + '"';
  }
  const Json labels = metadata.value("labels", Json::object());
  for (const auto& [key, value] : labels.items()) {
    if (!value.is_string() || !is_label_value(value.get<std::string>())) {
      return "metadata.labels: Invalid value: " + value.dump() + " of " + key;
    }
  }
  size_t annotations = 0;
  const Json notes = metadata.value("annotations", Json::object());
  for (const auto& [key, value] : notes.items()) {
    if (!value.is_string()) {
      return "metadata.annotations: " + key + " must be a string";
    }
    annotations += key.size() + value.get<std::string>().size();
  }
  return annotations > 256 * 1024 ? "metadata.annotations: Too long: may not be more than 262144"
                                  : "";
}

std::string version_of(const Json& object) {
  return object.at("metadata").value("resourceVersion", "");
}

bool without_finalizers(const Json& object) {
  const auto& metadata = object.at("metadata");
  const auto it = metadata.find("finalizers");
  return it == metadata.end() || it->empty();
}

/// Everything but metadata and status: what the generation counts.
Json desired(Json object) {
  object.erase("metadata");
  object.erase("status");
  return object;
}

/// A PUT's or PATCH's outcome as the server keeps it.
Json settled(const std::string& subresource, const Json& before, Json after) {
  if (subresource == "status") {
    Json result = before;
    result.erase("status");
    if (after.contains("status")) {
      result["status"] = after["status"];
    }
    return result;
  }
  after.erase("status");
  if (before.contains("status")) {
    after["status"] = before["status"];
  }
  for (const char* key : {"name", "namespace", "uid", "creationTimestamp", "generation",
                          "deletionTimestamp", "resourceVersion"}) {
    after["metadata"].erase(key);
    if (before["metadata"].contains(key)) {
      after["metadata"][key] = before["metadata"][key];
    }
  }
  if (desired(before) != desired(after)) {
    after["metadata"]["generation"] = before["metadata"].value("generation", 0) + 1;
  }
  return after;
}

}  // namespace

ApiAnswer ApiState::create(const ApiRequest& request) {
  Json object = Json::parse(request.body, nullptr, false);
  if (!object.is_object() || object.value("kind", "").empty() ||
      object.value("apiVersion", "") != request.api_version) {
    return refuse(400, "BadRequest", "the body is no object of apiVersion " + request.api_version);
  }
  return insert(request, std::move(object));
}

ApiAnswer ApiState::insert(const ApiRequest& request, Json object) {
  auto& metadata = object["metadata"];
  if (metadata.is_null()) {
    metadata = Json::object();
  }
  if (request.ns.empty() && request.collection != "/namespaces" && request.collection != "/nodes") {
    return refuse(405, "MethodNotAllowed", "creations need a namespace");
  }
  if (metadata.value("namespace", request.ns) != request.ns) {
    return refuse(400, "BadRequest", "the namespace of the object is not that of the request");
  }
  if (!version_of(object).empty()) {
    return refuse(400, "BadRequest", "resourceVersion should not be set on objects to be created");
  }
  if (metadata.value("name", "").empty() && metadata.contains("generateName")) {
    metadata["name"] = metadata["generateName"].get<std::string>() +
                       to_hex(fnv1a(std::to_string(uids_))).substr(11);
  }
  if (const auto problem = problem_of(request.collection, object); !problem.empty()) {
    return refuse(422, "Invalid", problem);
  }
  const ObjectKey key{request.collection, request.ns, metadata["name"].get<std::string>()};
  if (find(key)) {
    return refuse(409, "AlreadyExists", '"' + key.name + "\" already exists");
  }
  if (!request.ns.empty()) {
    metadata["namespace"] = request.ns;
  }
  const std::string count = to_hex(++uids_).substr(4);
  metadata["uid"] = "00000000-0000-4000-8000-" + count;
  metadata["creationTimestamp"] = to_rfc3339(std::chrono::floor<std::chrono::seconds>(now_()));
  metadata["generation"] = 1;
  metadata.erase("deletionTimestamp");
  object.erase("status");
  publish(Change::Type::Added, key, std::move(object));
  const auto created = find(key);
  if (all_owners_gone(*created)) {
    for (const auto& owner : created->at("metadata").at("ownerReferences")) {
      gone_uids_.push_back(owner.value("uid", ""));
    }
  }
  return {201, created->dump()};
}

ApiAnswer ApiState::put(const ApiRequest& request) {
  const auto before = find({request.collection, request.ns, request.name});
  if (!before) {
    return refuse(404, "NotFound", '"' + request.name + "\" not found");
  }
  Json after = Json::parse(request.body, nullptr, false);
  if (!after.is_object() || !after.contains("metadata") ||
      after["metadata"].value("name", "") != request.name) {
    return refuse(400, "BadRequest", "the name of the object is not that of the URL");
  }
  return replace(request, *before, std::move(after));
}

ApiAnswer ApiState::patch(const ApiRequest& request) {
  const auto before = find({request.collection, request.ns, request.name});
  const Json change = Json::parse(request.body, nullptr, false);
  if (change.is_discarded()) {
    return refuse(400, "BadRequest", "the patch is no JSON");
  }
  const bool apply = request.content_type == atq::kube::kApplyPatch;
  if (!before && apply && request.subresource.empty()) {
    return create(request);
  }
  if (!before) {
    return refuse(404, "NotFound", '"' + request.name + "\" not found");
  }
  Json after = *before;
  if (request.content_type == atq::kube::kJsonPatch) {
    try {
      after = before->patch(change);
    } catch (const Json::exception& error) {
      return refuse(422, "Invalid", error.what());
    }
  } else if (apply || request.content_type == atq::kube::kMergePatch) {
    after.merge_patch(change);
  } else {
    return refuse(415, "UnsupportedMediaType", "the body of the request was in an unknown format");
  }
  return replace(request, *before, std::move(after));
}

ApiAnswer ApiState::replace(const ApiRequest& request, const Json& before, Json after) {
  if (!request.subresource.empty() && request.subresource != "status") {
    return refuse(404, "NotFound", "the server could not find the requested resource");
  }
  if (!after.is_object() || !after.contains("metadata") || !after["metadata"].is_object()) {
    return refuse(422, "Invalid", "metadata: Required value");
  }
  const auto& asked = after["metadata"];
  const std::string uid = asked.value("uid", "");
  const std::string version = version_of(after);
  if ((!uid.empty() && uid != before["metadata"]["uid"]) ||
      (!version.empty() && version != version_of(before))) {
    return refuse(409, "Conflict",
                  "Operation cannot be fulfilled on \"" + request.name +
                      "\": the object has been modified; please apply your changes to the latest "
                      "version and try again");
  }
  if (asked.value("name", request.name) != request.name) {
    return refuse(400, "BadRequest", "the name of the object is not that of the URL");
  }
  const ObjectKey key{request.collection, request.ns, request.name};
  Json result = settled(request.subresource, before, std::move(after));
  if (const auto problem = problem_of(request.collection, result); !problem.empty()) {
    return refuse(422, "Invalid", problem);
  }
  if (result == before) {
    return {200, before.dump()};
  }
  if (result["metadata"].contains("deletionTimestamp") && without_finalizers(result)) {
    publish(Change::Type::Deleted, key, std::move(result));
    return {200, changes_.back().after->dump()};
  }
  publish(Change::Type::Modified, key, std::move(result));
  return {200, find(key)->dump()};
}

ApiAnswer ApiState::remove(const ApiRequest& request) {
  return erase_object({request.collection, request.ns, request.name}, request);
}

ApiAnswer ApiState::erase_object(const ObjectKey& key, const ApiRequest& request) {
  const auto object = find(key);
  if (!object) {
    return refuse(404, "NotFound", '"' + key.name + "\" not found");
  }
  const Json body = Json::parse(request.body, nullptr, false);
  const Json options = body.is_object() ? body : Json::object();
  const Json wanted = options.value("preconditions", Json::object());
  const std::string uid = object->at("metadata").at("uid");
  if (wanted.value("uid", uid) != uid ||
      wanted.value("resourceVersion", version_of(*object)) != version_of(*object)) {
    return refuse(409, "Conflict", "the preconditions do not hold for \"" + key.name + '"');
  }
  // Jobs deleted without a policy leave their pods, for the sake of old clients.
  const std::string policy =
      options.value("propagationPolicy", key.collection == "batch/jobs" ? "Orphan" : "Background");
  if (policy == "Orphan") {
    orphan_dependents(uid);
  }
  const bool foreground = policy == "Foreground" && dependents_.contains(uid);
  if (!without_finalizers(*object) || foreground) {
    Json marked = *object;
    marked["metadata"]["deletionTimestamp"] =
        to_rfc3339(std::chrono::floor<std::chrono::seconds>(now_()));
    if (marked != *object) {
      publish(Change::Type::Modified, key, std::move(marked));
    }
  }
  if (foreground) {
    const auto [first, last] = dependents_.equal_range(uid);
    const std::vector<std::pair<std::string, ObjectKey>> dependents(first, last);
    for (const auto& [owner, dependent] : dependents) {
      erase_object(dependent, {.body = R"({"propagationPolicy":"Foreground"})"});
    }
  }
  if (without_finalizers(*object)) {
    erase(key);
  }
  return {200, R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"})"};
}

void ApiState::orphan_dependents(const std::string& uid) {
  const auto [first, last] = dependents_.equal_range(uid);
  const std::vector<std::pair<std::string, ObjectKey>> dependents(first, last);
  dependents_.erase(first, last);
  for (const auto& [owner, key] : dependents) {
    const auto object = find(key);
    if (object && object->at("metadata").contains("ownerReferences")) {
      Json free = *object;
      std::erase_if(free["metadata"]["ownerReferences"].get_ref<Json::array_t&>(),
                    [&](const Json& reference) { return reference.value("uid", "") == uid; });
      publish(Change::Type::Modified, key, std::move(free));
    }
  }
}

ApiAnswer ApiState::remove_collection(const ApiRequest& request) {
  const auto labels = LabelSelector::parse(request.parameter("labelSelector"));
  const auto fields = FieldSelector::parse(request.parameter("fieldSelector"));
  if (!labels || !fields) {
    return refuse(400, "BadRequest", "a selector does not parse");
  }
  const Objects objects = objects_;
  for (const auto& [key, object] : objects) {
    if (key.collection == request.collection && (request.ns.empty() || key.ns == request.ns) &&
        labels->matches(*object) && fields->matches(*object)) {
      erase_object(key, {.body = request.body});
    }
  }
  return {200, R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"})"};
}

}  // namespace atq::fakes::kube
