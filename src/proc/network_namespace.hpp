#pragma once
// Network namespaces that hold one loopback address each, made and removed with iproute2's `ip`.
// Every call blocks for some milliseconds a namespace: keep it off the event loop. Needs root.
//
// Each namespace has its own lo with 127.0.0.1/32 and, over a pair of veth devices, the rest of
// 127.0.0.0/8: the other namespaces' addresses and what listens in our own namespace, which is the
// hub. The hub's own 127.0.0.1 cannot be reached from inside. Nothing beside 127.0.0.0/8 can.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.hpp"

namespace atq::proc {

struct NetworkNamespace {
  std::string name;     ///< below /run/netns
  std::string address;  ///< inside 127.0.0.0/8
};

/// The file to enter it by.
std::filesystem::path network_namespace_path(const std::string& name);

/// The hub's end of the pair of devices; at most 15 characters, the same for the same name.
std::string network_device(const std::string& name);

/// Names below /run/netns that begin so, sorted.
std::vector<std::string> list_network_namespaces(std::string_view prefix);

/// True where the address is routed into the namespace of this name.
bool is_complete(const NetworkNamespace& wanted);

/// Invalid where this user may not make one or `ip` is missing. Does not block.
Result<void> check_network_namespaces();

/// Makes all of them, or none. What has one of the names is removed before. `hub` is the address
/// they know the hub by, which nothing else may use. Invalid where this user, this machine or the
/// kernel does not allow it, with what to do; Timeout.
Result<void> make_network_namespaces(const std::vector<NetworkNamespace>& wanted,
                                     const std::string& hub);

/// Success where there is none of the name. A process that is still inside keeps its namespace
/// until it ends, but without a connection to anything.
Result<void> remove_network_namespaces(const std::vector<std::string>& names);

}  // namespace atq::proc
