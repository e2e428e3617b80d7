#pragma once
// The environment of the containers of a run (docs/runtimes/kubernetes.md). Pure.

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "src/runtimes/kubernetes/objects.hpp"

namespace atq::kubernetes {

/// The list `env` of a role's main container: ours, then the spec's, which may refer to ours by
/// $(NAME); the kubelet expands it.
nlohmann::json environment_of(const ObjectContext& context, core::Role role);

/// Of an exec check against one worker; expanded here, as one container serves many.
std::map<std::string, std::string> check_environment(const ObjectContext& context, int worker);

/// "10.0.0.1:1099,[fd00::7]:1099": each worker's address with its first declared port; without one
/// the address alone.
std::string worker_endpoints(const ObjectContext& context);
/// "10.0.0.1:1099", "[fd00::7]:1099"
std::string endpoint(const std::string& address, int port);

/// "NAME-m-0.NAME.NAMESPACE.svc"
std::string master_host(const ObjectContext& context);

}  // namespace atq::kubernetes
