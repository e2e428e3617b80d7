#pragma once
// Internal to the client: opens a connection to where a server is.

#include "src/net/client.hpp"
#include "src/net/connection.hpp"

namespace atq::net {

/// "shop.internal:443", "[::1]:6443" or a socket's path, for messages.
std::string name_of(const Endpoint& endpoint);

/// What stands in the Host header: no port where it is the scheme's own (RFC 9110, 7.2).
std::string host_header(const Endpoint& endpoint);

/// Looks the name up, connects (TCP_NODELAY and keep-alive set) and puts TLS on it, all within
/// `timeout`. Errors as of Connection's functions; Invalid for an endpoint that cannot be.
Task<Result<void>> dial(Connection& connection, Endpoint endpoint, FindAddresses find,
                        std::chrono::milliseconds timeout);

}  // namespace atq::net
