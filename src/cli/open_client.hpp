#pragma once
// Whom a command speaks to: a director on this machine, or a cluster.

#include <memory>
#include <string>

#include "src/cli/api_client.hpp"
#include "src/cli/command_line.hpp"
#include "src/cli/console.hpp"
#include "src/kube/connection.hpp"

namespace atq::cli {

struct Opened {
  std::unique_ptr<ApiClient> client;
  std::string ns;  ///< where the command names none
};

/// Touches files alone; the network is first used by a call. Warnings go to the console.
Result<Opened> open_client(const Command& command, Console& console);

/// How the command's --context and --kubeconfig are to be connected.
kube::ConnectionOptions connection_options(const Command& command, Console& console);

}  // namespace atq::cli
