#pragma once
// The HTTP API that `atq` speaks to a director on this machine, over a unix socket of mode 0600:
// whoever may open the socket may do everything. docs/local-api.md lists the routes. Runs on the
// engine's thread.

#include <functional>
#include <string>

#include "controller/engine/operations.hpp"
#include "src/net/server.hpp"

namespace atq::server {

/// Name of the socket under the director's --data.
inline constexpr std::string_view kSocketName = "atq.sock";

/// `operations` must outlive the server that uses the handler. Log streams that a client has left
/// are ended by the runtime's stop().
net::Handler make_local_api(engine::Operations& operations);

/// What is served over TCP: metrics and probes, nothing that tells of or touches a LoadTest.
struct Probes {
  std::function<std::string()> metrics;  ///< Prometheus' text format
  std::function<bool()> healthy;         ///< GET /healthz: 200 "ok", else 503
  /// GET /readyz: "" is ready, else why not (503).
  std::function<std::string()> not_ready;
};
net::Handler make_probe_api(Probes probes);

/// Options of a server of either: failures are JSON. `on_error` logs what is the server's fault.
net::ServerOptions server_options(std::function<void(const std::string&)> on_error);

}  // namespace atq::server
