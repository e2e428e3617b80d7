#pragma once
// What a director is told: a YAML file (--config), over it the command line's flags. Unknown keys
// are refused with a did-you-mean; docs/configuration.md lists them all.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/error.hpp"

namespace atq::app {

struct RuntimeConfig {
  std::string name;  ///< what spec.runtime names; the type's name by default
  std::string type = "process";
  int max_concurrent_runs = 4;  ///< 1..1000
  bool operator==(const RuntimeConfig&) const = default;
};

/// What concerns a cluster; read where store or runtime is `kubernetes`.
struct KubernetesConfig {
  std::string kubeconfig;               ///< "" = $KUBECONFIG, in-cluster, ~/.kube/config
  std::string context;                  ///< "" = the current one
  std::vector<std::string> namespaces;  ///< whose LoadTests are ours; empty: all of the cluster
  std::string lease_namespace;          ///< "" = $POD_NAMESPACE, else the connection's
  std::string lease_name = "atq-director";
  std::string agent_image;                         ///< has /atq-agent
  std::string image_pull_policy = "IfNotPresent";  ///< of that image: Always, IfNotPresent, Never
  int queries_per_second = 0;                      ///< 0: no limit of ours
  bool operator==(const KubernetesConfig&) const = default;
};

struct Config {
  std::string store_type;               ///< "directory", "kubernetes"
  std::string store_path;               ///< a folder, or one YAML file
  std::vector<RuntimeConfig> runtimes;  ///< the first is the store's own: spec.runtime ""
  std::string data;                     ///< "" = fill_in() decides; none: no local socket either
  std::string listen;                   ///< "HOST:PORT" for metrics and probes; "" = none
  std::string log_format = "text";      ///< text | json
  std::string log_level = "info";       ///< debug | info | warn | error
  int max_concurrent_reconciles = 4;    ///< 1..100
  std::string agent;  ///< path of atq-agent; "" = beside this program, else on PATH
  KubernetesConfig kubernetes;
  bool operator==(const Config&) const = default;
};

/// Over `base` what the YAML text says. Invalid with every problem, one a line, with line and
/// column.
Result<Config> parse_config(std::string_view yaml, Config base = {});

/// "directory:./loadtests" into store_type and store_path; "process" or "NAME=process" into a
/// runtime. Both leave the configuration as it was where they refuse.
Result<void> set_store(Config& config, std::string_view text);
Result<void> add_runtime(Config& config, std::string_view text);

/// ./data for a store that needs a folder and has been given none.
void fill_in(Config& config);

/// What no single key can say: a store and a runtime are there and fit each other, names are
/// unique, bounds.
Result<void> check_config(const Config& config);

/// What the command line asks for.
struct CommandLine {
  enum class Kind { Run, Exit } kind = Kind::Run;
  int exit_code = 0;   ///< with Exit: 0 after --help and --version, 2 for usage
  std::string output;  ///< with Exit: what to print (stdout for 0, stderr for 2)
  Config config;
};
CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace atq::app
