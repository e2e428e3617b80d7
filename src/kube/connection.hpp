#pragma once
// From a kubeconfig or a pod's service account to a Client. kubeconfig.hpp reads and merges the
// files; credentials.hpp keeps tokens and certificates fresh.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "src/kube/client.hpp"
#include "src/kube/credentials.hpp"
#include "src/kube/kubeconfig.hpp"

namespace atq::kube {

/// One request as it was made, retries counted singly.
struct RequestMade {
  int code = 0;  ///< 0: no answer
  std::string method;
  std::string host;                  ///< "10.0.0.1:6443"
  std::chrono::microseconds took{};  ///< until the answer's end, of a stream until its head's
};

struct ConnectionOptions {
  std::string kubeconfig;  ///< path or colon list; "" = $KUBECONFIG, in-cluster, ~/.kube/config
  std::string context;     ///< "" = the current one
  std::string user_agent = "atq-director";
  /// Asked right before each write is sent, also again: false sends nothing and gives Canceled. A
  /// process that was frozen meanwhile must not go on with what it had begun. Empty: always.
  std::function<bool()> may_write;
  int queries_per_second = 0;  ///< 0: no limit of ours (the server's Priority and Fairness rules)
  int burst = 100;
  std::function<void(const std::string&)> warn;  ///< what somebody should know, without secrets
  std::function<void(const RequestMade&)> on_request;  ///< for metrics
};

struct Connection {
  std::unique_ptr<Client> client;
  std::string ns;      ///< of the context, or of the pod; "default"
  std::string server;  ///< "https://10.0.0.1:6443", for messages
  std::string source;  ///< "in-cluster", "context lab of /root/.kube/config"
};

/// How connect() finds the cluster: `kubeconfig`, else $KUBECONFIG, else the service account of the
/// pod we are in (unless a context is named), else ~/.kube/config. Warnings go to options.warn.
Result<Access> find_access(const ConnectionOptions& options);

/// The access of a pod: KUBERNETES_SERVICE_HOST and _PORT, and what is mounted in `folder`.
/// NotFound where we are in no pod.
inline constexpr const char* kServiceAccountFolder =
    "/var/run/secrets/kubernetes.io/serviceaccount";
Result<Access> in_cluster_access(const std::string& folder = kServiceAccountFolder);

/// A Client for an access that was found otherwise. Reads its files.
Result<std::unique_ptr<Client>> make_client(boost::asio::io_context& loop, Access access,
                                            const ConnectionOptions& options,
                                            CredentialWorld world = {});

/// Errors say which file, context, cluster or user is missing or wrong. Blocks on files; the
/// network is first touched by a call.
Result<Connection> connect(boost::asio::io_context& loop, const ConnectionOptions& options);

}  // namespace atq::kube
