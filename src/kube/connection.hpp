#pragma once
// From a kubeconfig or a pod's service account to a Client. kubeconfig.hpp reads and merges the
// files; credentials.hpp keeps tokens and certificates fresh.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "src/kube/client.hpp"

namespace atq::kube {

struct ConnectionOptions {
  std::string kubeconfig;  ///< path or colon list; "" = $KUBECONFIG, in-cluster, ~/.kube/config
  std::string context;     ///< "" = the current one
  std::string user_agent = "atq-director";
  int queries_per_second = 0;  ///< 0: no limit of ours (the server's Priority and Fairness rules)
  int burst = 100;
  std::function<void(const std::string&)> warn;
};

struct Connection {
  std::unique_ptr<Client> client;
  std::string ns;      ///< of the context, or of the pod; "default"
  std::string server;  ///< "https://10.0.0.1:6443", for messages
  std::string source;  ///< "in-cluster", "context lab of /root/.kube/config"
};

/// Errors say which file, context, cluster or user is missing or wrong. Blocks on files; the
/// network is first touched by a call.
Result<Connection> connect(boost::asio::io_context& loop, const ConnectionOptions& options);

}  // namespace atq::kube
