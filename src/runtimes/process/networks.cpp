#include "src/runtimes/process/networks.hpp"

#include <algorithm>

#include "src/base/hash.hpp"

namespace atq::process {

std::string network_prefix(const std::filesystem::path& data) {
  std::error_code error;
  auto path = std::filesystem::weakly_canonical(data, error);
  if (error) path = data;
  return "atq-" + to_hex(fnv1a(path.native())) + "-";
}

std::string network_prefix(const std::filesystem::path& data, const core::RunId& run) {
  return network_prefix(data) + to_hex(fnv1a(run.uid + "/" + std::to_string(run.number))) + "-";
}

std::string network_name(const std::filesystem::path& data, const core::RunId& run, core::Role role,
                         int index) {
  return network_prefix(data, run) +
         (role == core::Role::Master ? "m" : "w" + std::to_string(index));
}

std::vector<proc::NetworkNamespace> networks_of(const std::filesystem::path& data,
                                                const RunRecord& record) {
  std::vector<proc::NetworkNamespace> out;
  for (size_t i = 0; i < record.workers.size(); ++i) {
    out.push_back({network_name(data, record.id, core::Role::Worker, static_cast<int>(i)),
                   record.workers[i].address});
  }
  if (record.master) {
    out.push_back({network_name(data, record.id, core::Role::Master, 0), record.master->address});
  }
  return out;
}

std::string hub_of(const proc::Block& block) { return proc::format_ipv4(block.base); }

Result<void> remove_networks(const std::filesystem::path& data, const core::RunId& run) {
  return proc::remove_network_namespaces(proc::list_network_namespaces(network_prefix(data, run)));
}

Result<void> sweep_networks(const std::filesystem::path& data,
                            const std::vector<core::RunId>& runs) {
  std::vector<std::string> known;
  for (const auto& run : runs) known.push_back(network_prefix(data, run));
  auto names = proc::list_network_namespaces(network_prefix(data));
  std::erase_if(names, [&known](const std::string& name) {
    return std::any_of(known.begin(), known.end(),
                       [&name](const std::string& prefix) { return name.starts_with(prefix); });
  });
  return proc::remove_network_namespaces(names);
}

Result<void> restore_networks(const std::filesystem::path& data, const RunRecord& record,
                              const std::string& hub) {
  if (!record.network_namespaces) return {};
  auto missing = networks_of(data, record);
  std::erase_if(missing, [](const auto& network) { return proc::is_complete(network); });
  return missing.empty() ? Result<void>() : proc::make_network_namespaces(missing, hub);
}

}  // namespace atq::process
