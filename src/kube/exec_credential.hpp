#pragma once
// What is said to an exec plugin and what it answers. Pure. Sources:
// https://kubernetes.io/docs/reference/config-api/client-authentication.v1/ and
// client-go plugin/pkg/client/auth/exec/exec.go.

#include <optional>
#include <string>
#include <string_view>

#include "src/base/time.hpp"
#include "src/kube/kubeconfig.hpp"

namespace atq::kube {

struct ExecCredential {
  std::string token;                 ///< "" = none
  std::string certificate, key;      ///< both or none
  std::optional<TimePoint> expires;  ///< none: good until the server refuses it
};

/// The value of KUBERNETES_EXEC_INFO. Cluster information is in it where the plugin asks for it,
/// but not the `config` of a cluster's extensions.
std::string exec_info(const ExecPlugin& plugin, const Access& access, std::string_view ca_pem);

/// Invalid: no ExecCredential of the plugin's apiVersion, no token and no certificate with its key.
/// No message shows any of `output`'s values but its apiVersion and kind.
Result<ExecCredential> read_exec_credential(std::string_view output, const ExecPlugin& plugin);

}  // namespace atq::kube
