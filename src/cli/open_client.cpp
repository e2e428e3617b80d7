#include "src/cli/open_client.hpp"

#include "src/cli/kube_api_client.hpp"
#include "src/cli/local_api_client.hpp"

namespace atq::cli {

kube::ConnectionOptions connection_options(const Command& command, Console& console) {
  return {.kubeconfig = command.kubeconfig,
          .context = command.context,
          .user_agent = std::string("atq/") + ATQ_VERSION,
          .warn = [&console](const std::string& text) { console.err << "atq: " << text << "\n"; }};
}

Result<Opened> open_client(const Command& command, Console& console) {
  if (!command.cluster()) {
    return Opened{std::make_unique<LocalApiClient>(command.data), "default"};
  }
  auto loop = std::make_shared<boost::asio::io_context>();
  auto connection = kube::connect(*loop, connection_options(command, console));
  if (!connection) {
    return std::unexpected(connection.error());
  }
  const std::string ns = connection->ns;
  return Opened{std::make_unique<KubeApiClient>(std::move(loop), std::move(*connection)), ns};
}

}  // namespace atq::cli
