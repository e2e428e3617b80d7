#pragma once
// The network namespaces of runs: how they are called, and which are left over. The name says whose
// it is: atq-DATA-RUN-REPLICA, DATA and RUN being hashes, so that any later director on the same
// data folder finds them.

#include <filesystem>
#include <string>
#include <vector>

#include "src/proc/loopback.hpp"
#include "src/proc/network_namespace.hpp"
#include "src/runtimes/process/run_record.hpp"

namespace atq::process {

/// What all names of this data folder begin with.
std::string network_prefix(const std::filesystem::path& data);
/// What all names of this run begin with.
std::string network_prefix(const std::filesystem::path& data, const core::RunId& run);
std::string network_name(const std::filesystem::path& data, const core::RunId& run, core::Role role,
                         int index);

/// The namespaces of a run, in the order workers, master.
std::vector<proc::NetworkNamespace> networks_of(const std::filesystem::path& data,
                                                const RunRecord& record);

/// The first address of the block, which no replica is given.
std::string hub_of(const proc::Block& block);

/// Removes all of a run that there are. Blocking.
Result<void> remove_networks(const std::filesystem::path& data, const core::RunId& run);

/// Removes those of this data folder that belong to none of `runs`. Blocking.
Result<void> sweep_networks(const std::filesystem::path& data,
                            const std::vector<core::RunId>& runs);

/// Makes again what a run lacks: namespaces do not outlive the machine's boot. Blocking.
Result<void> restore_networks(const std::filesystem::path& data, const RunRecord& record,
                              const std::string& hub);

}  // namespace atq::process
