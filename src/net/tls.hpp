#pragma once
// TLS for the HTTP client: what is trusted, who we are. OpenSSL stands in the .cpp alone. TLS 1.2
// and later; the peer's host name or IP address is checked against its certificate.

#include <memory>
#include <string>

#include "src/base/error.hpp"

namespace atq::net {

/// PEM texts, not paths: who reads files again when they rotate is the caller.
struct TlsOptions {
  std::string ca_pem;       ///< "" = the system's certificates
  std::string cert_pem;     ///< client certificate with its chain; "" = none
  std::string key_pem;      ///< its key; never in a message
  std::string server_name;  ///< for SNI and the check; "" = the host connected to
  bool insecure = false;    ///< checks nothing: for tests and `insecure-skip-tls-verify`
  bool operator==(const TlsOptions&) const = default;
};

/// Immutable; shared by all connections made with it.
class TlsContext;

/// Invalid where a PEM text is none, or key and certificate do not belong together.
Result<std::shared_ptr<const TlsContext>> make_tls_context(const TlsOptions& options);

}  // namespace atq::net
