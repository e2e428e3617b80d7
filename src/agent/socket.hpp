#pragma once
// Numeric addresses and non-blocking sockets.

#include <optional>
#include <string>
#include <sys/socket.h>

#include "src/agent/unique_fd.hpp"
#include "src/base/error.hpp"

namespace atq::agent {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// An IPv4 or IPv6 address in digits; nullopt for anything else (a name).
std::optional<SocketAddress> numeric_address(const std::string& host, int port);

/// A non-blocking socket of `type` (SOCK_STREAM, SOCK_DGRAM) whose connect has begun or succeeded.
Result<UniqueFd> begin_connect(const SocketAddress& address, int type);

/// The outcome of a begun connect: 0 or an errno. ECONNREFUSED also where the socket reached
/// itself, which TCP does when the kernel picks the wanted port as the source port of a local
/// connection.
int connect_outcome(int fd);

}  // namespace atq::agent
