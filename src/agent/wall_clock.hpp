#pragma once

#include <chrono>
#include <cstdint>

namespace atq::agent {

/// Microseconds since the epoch, as the protocol's at_us.
inline int64_t wall_clock_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace atq::agent
