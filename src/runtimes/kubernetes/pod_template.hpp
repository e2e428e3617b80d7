#pragma once
// What the pods of a run have in common. Pure. Internal to objects.cpp and probe_objects.cpp.

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "src/runtimes/kubernetes/names.hpp"
#include "src/runtimes/kubernetes/objects.hpp"

namespace atq::kubernetes {

/// `securityContext` of a container under Pod Security `restricted`
/// (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
nlohmann::json container_security(bool read_only_root);

/// Small and bounded, so that quotas which want every container to say its size are satisfied.
nlohmann::json agent_resources();

/// A container of the agent's own image that runs `arguments`.
nlohmann::json agent_container(const ObjectContext& context, const std::string& name,
                               const std::vector<std::string>& arguments);

/// metadata (labels, annotations) and spec of a pod with these containers: the agent's installation
/// first, where asked for; files under /atq/data. `annotations` are added.
nlohmann::json pod_template(const ObjectContext& context, Part part, nlohmann::json containers,
                            bool install_agent);

/// Adds the volume of /atq/data of a role and the annotations of inline files.
Result<void> add_files(const ObjectContext& context, core::Role role, nlohmann::json& pod);

/// An Indexed Job around a pod template, owned by the Service.
nlohmann::json job_object(const ObjectContext& context, Part part, int completions, bool suspend,
                          nlohmann::json pod);

/// Invalid where `object`'s annotations are more than an API server takes.
Result<void> check_size(const nlohmann::json& metadata, const std::string& what);

nlohmann::json mount(const std::string& volume, const std::string& path, bool read_only = false);

}  // namespace atq::kubernetes
