#pragma once
// Names to addresses without glibc's resolver, which a static program cannot use in foreign images:
// c-ares reads /etc/hosts and /etc/resolv.conf itself.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/agent/event_loop.hpp"
#include "src/base/error.hpp"

namespace atq::agent {

/// Destroying it ends the look-up.
class Resolution {
 public:
  virtual ~Resolution() = default;
};

/// Looks `name` up; calls back once from the loop, never from within this call, with at least one
/// numeric address, IPv4 first. No time limit of its own but that of resolv.conf.
std::unique_ptr<Resolution> resolve_name(
    EventLoop& loop, const std::string& name,
    std::function<void(Result<std::vector<std::string>>)> done);

}  // namespace atq::agent
