#include "src/kube/objects.hpp"

#include <utility>

#include <nlohmann/json.hpp>

namespace atq::kube {

namespace {

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string name_of(const Json& object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) {
    return {};
  }
  const auto name = metadata->find("name");
  return name != metadata->end() && name->is_string() ? name->get<std::string>() : std::string();
}

/// "jobs/NAME in NS", for messages.
std::string what(const Resource& resource, std::string_view ns, std::string_view name) {
  std::string text(resource.plural);
  if (!name.empty()) {
    text += '/' + std::string(name);
  }
  return ns.empty() ? text : text + " in " + std::string(ns);
}

Task<Result<Json>> call_object(Client& client, Call call, std::string context) {
  const auto answer = co_await client.call(std::move(call));
  if (!answer) {
    co_return fail_with(context, answer.error());
  }
  if (answer->size() > kMaxObjectBytes) {
    co_return fail(ErrorKind::Invalid, context + ": the answer has " +
                                           std::to_string(answer->size()) +
                                           " bytes, more than the " +
                                           std::to_string(kMaxObjectBytes) + " of an object");
  }
  Json object = Json::parse(*answer, nullptr, false);
  if (!object.is_object()) {
    co_return fail(ErrorKind::Unavailable, context + ": the answer is no JSON object");
  }
  co_return object;
}

Error without_name(std::string context) {
  return {.kind = ErrorKind::Invalid,
          .message = std::move(context) += ": metadata.name is missing"};
}

}  // namespace

Task<Result<Json>> get_object(Client& client, Resource resource, std::string ns, std::string name) {
  Call call{.target = path_of(resource, ns, name)};
  return call_object(client, std::move(call), "get " + what(resource, ns, name));
}

Task<Result<Json>> create_object(Client& client, Resource resource, std::string ns, Json object) {
  Call call{.method = "POST", .target = path_of(resource, ns), .body = dump(object)};
  return call_object(client, std::move(call), "create " + what(resource, ns, name_of(object)));
}

Task<Result<Json>> apply_object(Client& client, Resource resource, std::string ns, Json object,
                                std::string manager) {
  const std::string name = name_of(object);
  std::string context = "apply " + what(resource, ns, name);
  if (name.empty()) {
    co_return std::unexpected(without_name(std::move(context)));
  }
  Call call{.method = "PATCH",
            .target = with_query(path_of(resource, ns, name),
                                 {{"fieldManager", manager}, {"force", "true"}}),
            .content_type = std::string(kApplyPatch),
            .body = dump(object)};
  co_return co_await call_object(client, std::move(call), std::move(context));
}

Task<Result<Json>> update_object(Client& client, Resource resource, std::string ns, Json object) {
  const std::string name = name_of(object);
  std::string context = "update " + what(resource, ns, name);
  if (name.empty()) {
    co_return std::unexpected(without_name(std::move(context)));
  }
  Call call{.method = "PUT", .target = path_of(resource, ns, name), .body = dump(object)};
  co_return co_await call_object(client, std::move(call), std::move(context));
}

Task<Result<Json>> patch_object(Client& client, Resource resource, std::string ns, std::string name,
                                std::string subresource, Json patch, std::string_view type) {
  Call call{.method = "PATCH",
            .target = path_of(resource, ns, name, subresource),
            .content_type = std::string(type),
            .body = dump(patch)};
  return call_object(client, std::move(call), "patch " + what(resource, ns, name));
}

Task<Result<void>> delete_object(Client& client, Resource resource, std::string ns,
                                 std::string name, DeleteOptions options) {
  Json body{
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", options.propagation}};
  if (!options.uid.empty()) {
    body["preconditions"]["uid"] = options.uid;
  }
  if (!options.resource_version.empty()) {
    body["preconditions"]["resourceVersion"] = options.resource_version;
  }
  if (options.grace_seconds >= 0) {
    body["gracePeriodSeconds"] = options.grace_seconds;
  }
  Call call{.method = "DELETE", .target = path_of(resource, ns, name), .body = dump(body)};
  const auto answer = co_await client.call(std::move(call));
  if (!answer) {
    co_return fail_with("delete " + what(resource, ns, name), answer.error());
  }
  co_return Result<void>{};
}

}  // namespace atq::kube
