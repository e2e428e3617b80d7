#pragma once
// Single objects through a Client, as JSON values.

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "src/kube/client.hpp"
#include "src/kube/resource.hpp"

namespace atq::kube {

using Json = nlohmann::json;

/// The bounds on what a server may send us in one object or page.
inline constexpr size_t kMaxObjectBytes = size_t{8} << 20;

Task<Result<Json>> get_object(Client& client, Resource resource, std::string ns, std::string name);

/// Conflict where it exists.
Task<Result<Json>> create_object(Client& client, Resource resource, std::string ns, Json object);

/// Server-side apply, forced: a fully specified intent.
Task<Result<Json>> apply_object(Client& client, Resource resource, std::string ns, Json object,
                                std::string manager);

/// PUT; Conflict where metadata.resourceVersion is not the stored one.
Task<Result<Json>> update_object(Client& client, Resource resource, std::string ns, Json object);

/// `type`: kMergePatch or kJsonPatch. With metadata.resourceVersion in a merge patch: Conflict.
Task<Result<Json>> patch_object(Client& client, Resource resource, std::string ns, std::string name,
                                std::string subresource, Json patch, std::string_view type);

struct DeleteOptions {
  std::string uid;                         ///< precondition; "" = none; Conflict where another's
  std::string resource_version;            ///< precondition; "" = none
  std::string propagation = "Background";  ///< Background | Foreground | Orphan
  int grace_seconds = -1;                  ///< -1: the object's own
};
Task<Result<void>> delete_object(Client& client, Resource resource, std::string ns,
                                 std::string name, DeleteOptions options = {});

}  // namespace atq::kube
