#include "src/kube/connection.hpp"

#include <cstdlib>
#include <filesystem>

#include "src/kube/http_transport.hpp"

namespace atq::kube {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

Result<Access> from_files(const std::string& files, const std::string& context) {
  const auto config = load_kubeconfig(files);
  if (!config) return std::unexpected(config.error());
  return config->choose(context);
}

Result<Access> from_home(const ConnectionOptions& options, const Error& no_pod) {
  const std::string file = environment("HOME") + "/.kube/config";
  std::error_code code;
  if (!std::filesystem::exists(file, code)) {
    return fail(ErrorKind::NotFound, "found no cluster: no --kubeconfig, no KUBECONFIG, " +
                                         no_pod.message + ", and no " + file);
  }
  return from_files(file, options.context);
}

void warn_of(const Access& access, const std::function<void(const std::string&)>& warn) {
  if (access.server.tls && access.insecure) {
    warn("WARNING: " + access.source +
         " has insecure-skip-tls-verify: whoever stands between us "
         "and " +
         access.server.origin() + " can read and change everything, credentials too");
  }
  if (!access.server.tls && (!access.token.empty() || access.exec)) {
    warn("WARNING: " + access.source + ": credentials go unencrypted to " + access.server.origin());
  }
}

}  // namespace

Result<Access> in_cluster_access(const std::string& folder) {
  const std::string host = environment("KUBERNETES_SERVICE_HOST");
  const std::string port = environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return fail(ErrorKind::NotFound, "not in a pod (no KUBERNETES_SERVICE_HOST and _PORT)");
  }
  const bool v6 = host.find(':') != std::string::npos;
  auto server = parse_server_url("https://" + (v6 ? "[" + host + "]" : host) + ":" + port);
  if (!server) {
    return fail_with("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT", server.error());
  }
  Access access{.server = std::move(*server),
                .ca = {.text = {}, .file = folder + "/ca.crt"},
                .token = {.text = {}, .file = folder + "/token"},
                .source = "in-cluster"};
  if (auto ns = read_small_file(folder + "/namespace", 1024)) {
    while (!ns->empty() && ns->back() == '\n') ns->pop_back();
    if (!ns->empty()) access.ns = std::move(*ns);
  }
  return access;
}

Result<Access> find_access(const ConnectionOptions& options) {
  const std::string files =
      options.kubeconfig.empty() ? environment("KUBECONFIG") : options.kubeconfig;
  if (!files.empty()) return from_files(files, options.context);
  Error no_pod{ErrorKind::NotFound, "a context was named", std::nullopt};
  if (options.context.empty()) {
    auto access = in_cluster_access();
    if (access || access.error().kind != ErrorKind::NotFound) return access;
    no_pod = access.error();
  }
  return from_home(options, no_pod);
}

Result<std::unique_ptr<Client>> make_client(boost::asio::io_context& loop, Access access,
                                            const ConnectionOptions& options,
                                            CredentialWorld world) {
  if (options.warn) {
    world.warn = options.warn;
    warn_of(access, options.warn);
  }
  const ServerUrl server = access.server;
  auto credentials =
      std::make_unique<Credentials>(loop.get_executor(), std::move(access), std::move(world));
  if (const auto loaded = credentials->load(); !loaded) return std::unexpected(loaded.error());
  return make_http_transport(loop.get_executor(), server, std::move(credentials), options);
}

Result<Connection> connect(boost::asio::io_context& loop, const ConnectionOptions& options) {
  auto access = find_access(options);
  if (!access) return std::unexpected(access.error());
  Connection connection{.client = nullptr,
                        .ns = access->ns,
                        .server = access->server.origin() + access->server.prefix,
                        .source = access->source};
  auto client = make_client(loop, std::move(*access), options);
  if (!client) return std::unexpected(client.error());
  connection.client = std::move(*client);
  return connection;
}

}  // namespace atq::kube
