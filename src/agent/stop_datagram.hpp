#pragma once
// A tool's own way to be stopped, such as JMeter's UDP port.

#include <string_view>

#include "src/agent/protocol.hpp"

namespace atq::agent {

/// Sends `text` to spec.stop.udp_port at spec.address and, where that is no loopback address, at
/// 127.0.0.1 too, as JMeter listens to loopback senders only. A replica with a loopback address of
/// its own shares 127.0.0.1 with others, who must not be stopped. Never blocks; errors are not
/// told, since the signal that follows does not depend on it.
void send_stop_datagram(const ReplicaSpec& spec, std::string_view text);

}  // namespace atq::agent
