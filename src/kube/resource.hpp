#pragma once
// Kinds of the Kubernetes API and their paths. Pure.

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace atq::kube {

struct Resource {
  std::string_view group;  ///< "" = core
  std::string_view version;
  std::string_view plural;
  std::string_view kind;
  bool operator==(const Resource&) const = default;
};

inline constexpr Resource kPods{"", "v1", "pods", "Pod"};
inline constexpr Resource kServices{"", "v1", "services", "Service"};
inline constexpr Resource kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Resource kJobs{"batch", "v1", "jobs", "Job"};
inline constexpr Resource kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Resource kEvents{"events.k8s.io", "v1", "events", "Event"};

/// "batch/v1", "v1"
std::string api_version(const Resource& resource);

/// "/apis/batch/v1/namespaces/NS/jobs/NAME/SUBRESOURCE"; without `ns` over all namespaces, without
/// `name` the collection. Every part is percent-encoded.
std::string path_of(const Resource& resource, std::string_view ns, std::string_view name = {},
                    std::string_view subresource = {});

/// `path` with "?a=1&b=2" of the parameters that are not empty, encoded.
std::string with_query(
    std::string path,
    std::initializer_list<std::pair<std::string_view, std::string_view>> parameters);

}  // namespace atq::kube
