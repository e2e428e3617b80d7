#pragma once
// Internal to tls.cpp and tls_stream.cpp.

#include <string>

#include <boost/asio/ssl/context.hpp>

#include "src/net/tls.hpp"

namespace atq::net {

class TlsContext {
 public:
  explicit TlsContext(const TlsOptions& options);

  /// Asio's streams take it by reference and do not change it.
  mutable boost::asio::ssl::context ssl{boost::asio::ssl::context::tls_client};
  std::string server_name;
  bool insecure = false;
  bool own_authorities = false;  ///< ca_pem was given
  bool has_certificate = false;  ///< of the client
};

/// What OpenSSL put into its queue last, in words; empties the queue.
std::string take_openssl_error();

}  // namespace atq::net
