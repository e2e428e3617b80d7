#pragma once
// Limits on memory and processor, by control groups of version 2 where it has the controllers, else
// of version 1. Names are given by the caller and must be unique on the machine; the same name
// gives the same group after a restart. Blocking, quick.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "src/base/error.hpp"

namespace atq::proc {

struct CgroupLimits {
  int64_t memory_bytes = 0;  ///< 0: none
  int64_t cpu_millis = 0;    ///< thousandths of a core; 0: none
  bool any() const { return memory_bytes > 0 || cpu_millis > 0; }
  bool operator==(const CgroupLimits&) const = default;
};

/// Where groups can be made; found once.
class Cgroups {
 public:
  /// Looks at this machine's mounts and tries to make the common parent `atq`. What is not allowed
  /// is left out.
  static Cgroups detect();

  bool can_limit_memory() const { return !memory_.empty(); }
  bool can_limit_cpu() const { return !cpu_.empty(); }

  /// Makes the groups of `name` and sets the limits. Forbidden where this machine does not let us.
  Result<void> make(const std::string& name, const CgroupLimits& limits) const;
  /// Files that a process writes "0" to in order to join.
  std::vector<std::filesystem::path> joins(const std::string& name) const;
  /// True where the kernel has killed a process of the group for want of memory.
  bool ran_out_of_memory(const std::string& name) const;
  /// Kills every process in it.
  void kill(const std::string& name) const;
  /// Kills what is left and removes the groups; waits up to a second until they are empty.
  void remove(const std::string& name) const;

 private:
  std::vector<std::filesystem::path> folders(const std::string& name) const;

  bool unified_ = false;
  std::filesystem::path memory_, cpu_;  // parents; empty: not allowed
};

/// Kubernetes quantities: "64Mi", "1.5", "500m", "1e3", "2G". In thousandths. Invalid.
Result<int64_t> parse_quantity_millis(std::string_view text);

}  // namespace atq::proc
