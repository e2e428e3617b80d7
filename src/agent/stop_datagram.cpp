#include "src/agent/stop_datagram.hpp"

#include <sys/socket.h>

#include "src/agent/socket.hpp"

namespace atq::agent {

void send_stop_datagram(const ReplicaSpec& spec, std::string_view text) {
  const auto send_to = [&](const std::string& host) {
    const auto address = numeric_address(host, spec.stop.udp_port);
    if (!address) return;
    const UniqueFd fd(
        ::socket(address->storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd) ::sendto(fd.get(), text.data(), text.size(), 0, address->get(), address->length);
  };
  if (!spec.address.empty()) send_to(spec.address);
  if (!spec.address.starts_with("127.")) send_to("127.0.0.1");
}

}  // namespace atq::agent
