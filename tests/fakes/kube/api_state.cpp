#include "tests/fakes/kube/api_state.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "tests/fakes/kube/selector.hpp"

namespace atq::fakes::kube {

namespace {

uint64_t to_number(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string text_of(const Json& object, const char* key) {
  return object.at("metadata").value(key, std::string());
}

/// Lists of built-in kinds come without the type of their items.
bool is_builtin(const std::string& collection) {
  const std::string group = collection.substr(0, collection.find('/'));
  return !group.contains('.') || group.ends_with(".k8s.io");
}

ApiAnswer gone(std::string_view message) { return {410, status_text(410, "Expired", message)}; }

}  // namespace

ApiState::ApiState(std::function<TimePoint()> now) : now_(std::move(now)) {}

uint64_t ApiState::cache_version() const noexcept {
  return version_ - std::min(cache_lag_, version_ - 1000);
}

ApiAnswer ApiState::handle(const ApiRequest& request) {
  ApiAnswer answer{405, status_text(405, "MethodNotAllowed", "the server does not allow this")};
  const bool named = !request.name.empty();
  if (request.method == "GET") {
    answer = named ? get(request) : list(request);
  } else if (request.method == "POST" && !named) {
    answer = create(request);
  } else if (request.method == "PUT" && named) {
    answer = put(request);
  } else if (request.method == "PATCH" && named) {
    answer = patch(request);
  } else if (request.method == "DELETE") {
    answer = named ? remove(request) : remove_collection(request);
  }
  collect_garbage();
  if (announcing_) {
    return answer;  // the loop below, further up the stack, goes on with what this has changed
  }
  announcing_ = true;
  while (announced_ < changes_.size()) {
    const Change change = changes_[announced_++];
    if (on_change_) {
      on_change_(change);
    }
  }
  announcing_ = false;
  return answer;
}

ApiAnswer ApiState::get(const ApiRequest& request) const {
  const auto object = find({request.collection, request.ns, request.name});
  if (!object) {
    return {404, status_text(404, "NotFound", '"' + request.name + "\" not found")};
  }
  if (request.subresource == "log") {
    const auto log = logs_.find({request.ns, request.name});
    return {200, log == logs_.end() ? "" : log->second};
  }
  return {200, object->dump()};
}

ApiAnswer ApiState::list(const ApiRequest& request) const {
  const auto labels = LabelSelector::parse(request.parameter("labelSelector"));
  const auto fields = FieldSelector::parse(request.parameter("fieldSelector"));
  if (!labels || !fields) {
    return {400,
            status_text(400, "BadRequest", (labels ? fields.error() : labels.error()).message)};
  }
  const std::string asked = request.parameter("resourceVersion");
  const std::string token = request.parameter("continue");
  size_t limit = to_number(request.parameter("limit"));
  uint64_t at = asked == "0" ? cache_version() : version_;
  std::string from;  // "namespace/name" of the next one
  if (asked == "0") {
    limit = 0;  // the watch cache does not page
  }
  if (!token.empty()) {
    const size_t colon = token.find(':');
    at = to_number(token.substr(0, colon));
    from = token.substr(colon + 1);
    if (at < compacted_) {
      return gone(
          "The provided continue parameter is too old to display a consistent list result.");
    }
  } else if (!asked.empty() && asked != "0") {
    if (to_number(asked) > cache_version()) {
      return {504, status_text(504, "Timeout", "Too large resource version: " + asked, 1,
                               "ResourceVersionTooLarge")};
    }
    at = limit > 0 ? to_number(asked) : cache_version();
    if (at < compacted_) {
      return gone("The resourceVersion for the provided list is too old.");
    }
  }
  Json items = Json::array();
  std::string next;
  std::string kind;
  for (const auto& [key, object] : objects_at(at)) {
    const std::string place = key.ns + '/' + key.name;
    if (key.collection != request.collection || (!request.ns.empty() && key.ns != request.ns) ||
        place < from || !labels->matches(*object) || !fields->matches(*object)) {
      continue;
    }
    if (limit > 0 && items.size() == limit) {
      next = std::to_string(at) + ':' + place;
      break;
    }
    kind = object->value("kind", "");
    items.push_back(*object);
    if (is_builtin(request.collection)) {
      items.back().erase("kind");
      items.back().erase("apiVersion");
    }
  }
  Json metadata{{"resourceVersion", std::to_string(at)}};
  if (!next.empty()) {
    metadata["continue"] = next;
  }
  const Json list{{"kind", kind + "List"},
                  {"apiVersion", request.api_version},
                  {"metadata", std::move(metadata)},
                  {"items", std::move(items)}};
  return {200, list.dump()};
}

ApiState::Objects ApiState::objects_at(uint64_t version) const {
  Objects objects = objects_;
  for (auto it = changes_.rbegin(); it != changes_.rend() && it->version > version; ++it) {
    if (it->before) {
      objects[it->key] = it->before;
    } else {
      objects.erase(it->key);
    }
  }
  return objects;
}

std::shared_ptr<const Json> ApiState::find(const ObjectKey& key) const {
  const auto it = objects_.find(key);
  return it == objects_.end() ? nullptr : it->second;
}

void ApiState::set_log(std::string ns, std::string pod, std::string text) {
  logs_[{std::move(ns), std::move(pod)}] = std::move(text);
}

void ApiState::publish(Change::Type type, const ObjectKey& key, Json object) {
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  auto before = find(key);
  auto after = std::make_shared<const Json>(std::move(object));
  if (type == Change::Type::Deleted) {
    objects_.erase(key);
    by_uid_.erase(text_of(*after, "uid"));
    gone_uids_.push_back(text_of(*after, "uid"));
  } else {
    objects_[key] = after;
    by_uid_[text_of(*after, "uid")] = key;
    const auto owners = after->at("metadata").find("ownerReferences");
    if (owners != after->at("metadata").end()) {
      for (const auto& owner : *owners) {
        add_dependent(owner.value("uid", ""), key);
      }
    }
  }
  changes_.push_back({version_, type, key, std::move(before), std::move(after)});
}

void ApiState::add_dependent(const std::string& owner, const ObjectKey& key) {
  const auto [first, last] = dependents_.equal_range(owner);
  if (std::none_of(first, last, [&](const auto& entry) { return entry.second == key; })) {
    dependents_.emplace(owner, key);
  }
}

void ApiState::erase(const ObjectKey& key) {
  if (const auto object = find(key)) {
    publish(Change::Type::Deleted, key, *object);
  }
}

bool ApiState::all_owners_gone(const Json& object) const {
  const auto& metadata = object.at("metadata");
  const auto owners = metadata.find("ownerReferences");
  return owners != metadata.end() && !owners->empty() &&
         std::ranges::none_of(
             *owners, [&](const Json& owner) { return by_uid_.contains(owner.value("uid", "")); });
}

void ApiState::collect_garbage() {
  while (!gone_uids_.empty()) {
    const std::string uid = std::move(gone_uids_.back());
    gone_uids_.pop_back();
    const auto [first, last] = dependents_.equal_range(uid);
    const std::vector<std::pair<std::string, ObjectKey>> dependents(first, last);
    dependents_.erase(first, last);
    for (const auto& [owner, key] : dependents) {
      if (const auto object = find(key); object && all_owners_gone(*object)) {
        erase_object(key, {.body = R"({"propagationPolicy":"Background"})"});
      }
    }
  }
}

}  // namespace atq::fakes::kube
