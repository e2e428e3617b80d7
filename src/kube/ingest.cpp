#include "src/kube/ingest.hpp"

#include <utility>

#include <nlohmann/json.hpp>

namespace atq::kube {

namespace {

using Json = nlohmann::json;

const Json* metadata_of(const Json& object) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto it = object.find("metadata");
  return it != object.end() && it->is_object() ? &*it : nullptr;
}

std::string text_at(const Json& object, std::string_view key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool ends_initial_events(const Json& metadata) {
  const auto annotations = metadata.find("annotations");
  return annotations != metadata.end() && annotations->is_object() &&
         text_at(*annotations, "k8s.io/initial-events-end") == "true";
}

}  // namespace

std::string version_of(const Json& object) {
  const Json* metadata = metadata_of(object);
  return metadata == nullptr ? std::string() : text_at(*metadata, "resourceVersion");
}

bool trim_object(Json& object, const Resource& resource) {
  const Json* metadata = metadata_of(object);
  if (metadata == nullptr || text_at(*metadata, "name").empty()) {
    return false;
  }
  object["metadata"].erase("managedFields");
  const auto kind = object.emplace("kind", resource.kind).first;
  object.emplace("apiVersion", api_version(resource));
  return *kind == resource.kind;
}

std::optional<WatchLine> parse_watch_line(std::string_view line, const Resource& resource,
                                          Json& object) {
  Json event = Json::parse(line, nullptr, false);
  if (!event.is_object()) {
    return std::nullopt;
  }
  WatchLine parsed{.type = text_at(event, "type")};
  if (parsed.type.empty()) {
    return std::nullopt;
  }
  object = std::move(event["object"]);
  if (parsed.type == "ERROR") {
    return parsed;
  }
  if (parsed.type == "BOOKMARK") {
    const Json* metadata = metadata_of(object);
    parsed.initial_events_end = metadata != nullptr && ends_initial_events(*metadata);
    parsed.version = version_of(object);
  } else if (trim_object(object, resource)) {
    parsed.version = version_of(object);
  }
  return parsed;
}

std::optional<PageHead> parse_page_head(std::string_view envelope) {
  const Json list = Json::parse(envelope, nullptr, false);
  const Json* metadata = metadata_of(list);
  if (metadata == nullptr) {
    return std::nullopt;
  }
  return PageHead{.version = text_at(*metadata, "resourceVersion"),
                  .token = text_at(*metadata, "continue")};
}

}  // namespace atq::kube
