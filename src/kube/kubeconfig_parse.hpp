#pragma once
// One kubeconfig file as entries. Pure; yaml-cpp stands in the .cpp alone. Internal to kubeconfig.

#include <map>
#include <string>

#include "src/kube/kubeconfig.hpp"

namespace atq::kube {

struct ParsedKubeconfig {
  std::map<std::string, Kubeconfig::ClusterEntry> clusters;
  std::map<std::string, Kubeconfig::UserEntry> users;
  std::map<std::string, Kubeconfig::ContextEntry> contexts;
  std::string current;
};

/// Invalid, with the file and where possible line and column. Keys that are not known are passed
/// over, as kubectl does. A value of the wrong type makes the entry's `problem`.
Result<ParsedKubeconfig> parse_kubeconfig(const KubeconfigText& file);

}  // namespace atq::kube
