#include "controller/app/registry.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <unistd.h>

#include "src/base/text.hpp"
#include "src/locks/file/file_lock.hpp"
#include "src/locks/kube_lease/kube_lease.hpp"
#include "src/runtimes/kubernetes/kubernetes_runtime.hpp"
#include "src/runtimes/process/process_runtime.hpp"
#include "src/stores/directory/directory_store.hpp"
#include "src/stores/kube_crd/kube_events.hpp"
#include "src/stores/kube_crd/kube_store.hpp"

namespace atq::app {
namespace {

Result<std::unique_ptr<ports::Store>> make_directory_store(const Wiring& wiring) {
  stores::directory::Options options;
  options.source = wiring.config.store_path;
  options.data = wiring.config.data;
  return std::make_unique<stores::directory::DirectoryStore>(wiring.loop.get_executor(),
                                                             wiring.clock, options);
}

Result<std::unique_ptr<ports::Runtime>> make_process_runtime(const Wiring& wiring,
                                                             const RuntimeConfig& runtime) {
  auto agent = find_agent(wiring.config.agent);
  if (!agent) return std::unexpected(agent.error());
  process::Options options;
  options.name = runtime.name;
  options.data_dir = wiring.config.data;
  options.agent_path = *agent;
  options.die_with_parent = wiring.die_with_parent;
  options.warn = wiring.warn;
  return std::make_unique<process::ProcessRuntime>(wiring.loop, std::move(options));
}

Result<std::unique_ptr<ports::LeaderLock>> make_file_lock(const Wiring& wiring) {
  return std::make_unique<locks::FileLock>(wiring.loop, wiring.clock, wiring.config.data + "/lock");
}

Result<std::unique_ptr<ports::Store>> make_kube_store(const Wiring& wiring) {
  const auto client = wiring.kube.shared();
  if (!client) return std::unexpected(client.error());
  stores::kube::Options options;
  options.namespaces = wiring.config.kubernetes.namespaces;
  options.seed = wiring.kube.seed();
  options.note = wiring.warn;
  return std::make_unique<stores::kube::KubeStore>(wiring.loop, **client, std::move(options));
}

Result<std::unique_ptr<ports::LeaderLock>> make_kube_lease(const Wiring& wiring) {
  const auto client = wiring.kube.for_lease();
  if (!client) return std::unexpected(client.error());
  locks::KubeLeaseOptions options;
  options.ns = wiring.kube.lease_namespace();
  options.name = wiring.config.kubernetes.lease_name;
  options.identity = wiring.kube.identity();
  options.seed = wiring.kube.seed();
  options.note = wiring.warn;
  options.slow_path = wiring.slow_lease;
  return std::make_unique<locks::KubeLease>(wiring.loop, wiring.clock, **client,
                                            std::move(options));
}

Result<std::unique_ptr<ports::Runtime>> make_kube_runtime(const Wiring& wiring,
                                                          const RuntimeConfig& runtime) {
  const auto client = wiring.kube.shared();
  if (!client) return std::unexpected(client.error());
  kubernetes::Options options;
  options.name = runtime.name;
  options.namespaces = wiring.config.kubernetes.namespaces;
  options.agent_image = wiring.config.kubernetes.agent_image;
  options.agent_pull_policy = wiring.config.kubernetes.image_pull_policy;
  options.loadtests_own = wiring.config.store_type == "kubernetes";
  options.warn = wiring.warn;
  return std::make_unique<kubernetes::KubernetesRuntime>(wiring.loop, **client, std::move(options));
}

Result<std::unique_ptr<ports::EventSink>> make_kube_events(const Wiring& wiring) {
  const auto client = wiring.kube.shared();
  if (!client) return std::unexpected(client.error());
  return std::make_unique<stores::kube::KubeEvents>(
      wiring.loop, **client,
      stores::kube::KubeEvents::Options{
          .instance = wiring.kube.identity(), .seed = wiring.kube.seed(), .note = wiring.warn});
}

struct StoreType {
  std::string_view type;
  std::string_view only_runtime;  ///< "" = any
  bool needs_data;
  Result<std::unique_ptr<ports::Store>> (*make)(const Wiring&);
  Result<std::unique_ptr<ports::LeaderLock>> (*make_lock)(const Wiring&);
  Result<std::unique_ptr<ports::EventSink>> (*make_events)(const Wiring&);  ///< null: none
};
struct RuntimeType {
  std::string_view type;
  Result<std::unique_ptr<ports::Runtime>> (*make)(const Wiring&, const RuntimeConfig&);
};

constexpr std::array kStores = {
    StoreType{"directory", "", true, make_directory_store, make_file_lock, nullptr},
    StoreType{"kubernetes", "kubernetes", false, make_kube_store, make_kube_lease,
              make_kube_events}};
constexpr std::array kRuntimes = {RuntimeType{"process", make_process_runtime},
                                  RuntimeType{"kubernetes", make_kube_runtime}};

template <class Table>
auto find_type(const Table& table, std::string_view type, std::string_view what)
    -> Result<const typename Table::value_type*> {
  std::string known;
  for (const auto& row : table) {
    if (row.type == type) return &row;
    known += (known.empty() ? "" : ", ") + std::string(row.type);
  }
  return fail(ErrorKind::Invalid, "found " + std::string(what) + " \"" + std::string(type) +
                                      "\", expected one of " + known);
}

bool is_program(const std::filesystem::path& path) { return ::access(path.c_str(), X_OK) == 0; }

}  // namespace

Result<std::unique_ptr<ports::Store>> make_store(const Wiring& wiring) {
  const auto row = find_type(kStores, wiring.config.store_type, "store");
  if (!row) return std::unexpected(row.error());
  return (*row)->make(wiring);
}

Result<std::unique_ptr<ports::LeaderLock>> make_lock(const Wiring& wiring) {
  const auto row = find_type(kStores, wiring.config.store_type, "store");
  if (!row) return std::unexpected(row.error());
  return (*row)->make_lock(wiring);
}

Result<std::unique_ptr<ports::EventSink>> make_events(const Wiring& wiring) {
  const auto row = find_type(kStores, wiring.config.store_type, "store");
  if (!row) return std::unexpected(row.error());
  if ((*row)->make_events == nullptr) return nullptr;
  return (*row)->make_events(wiring);
}

Result<bool> needs_data(const std::string& store_type) {
  const auto row = find_type(kStores, store_type, "store");
  if (!row) return std::unexpected(row.error());
  return (*row)->needs_data;
}

Result<std::unique_ptr<ports::Runtime>> make_runtime(const Wiring& wiring,
                                                     const RuntimeConfig& runtime) {
  const auto row = find_type(kRuntimes, runtime.type, "runtime");
  if (!row) return std::unexpected(row.error());
  return (*row)->make(wiring, runtime);
}

Result<void> check_pair(const std::string& store_type, const std::string& runtime_type) {
  const auto store = find_type(kStores, store_type, "store");
  if (!store) return std::unexpected(store.error());
  const auto runtime = find_type(kRuntimes, runtime_type, "runtime");
  if (!runtime) return std::unexpected(runtime.error());
  if ((*store)->only_runtime.empty() || (*store)->only_runtime == runtime_type) return {};
  return fail(ErrorKind::Invalid, "the store " + store_type + " goes with the runtime " +
                                      std::string((*store)->only_runtime) + " only, found " +
                                      runtime_type);
}

Result<std::string> find_agent(const std::string& configured) {
  if (!configured.empty()) {
    if (is_program(configured)) return configured;
    return fail(ErrorKind::NotFound,
                "found no program at " + configured + ": give the path of atq-agent");
  }
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error && is_program(self.parent_path() / "atq-agent"))
    return (self.parent_path() / "atq-agent").string();
  const char* path = std::getenv("PATH");
  for (const auto& folder : split(path == nullptr ? "" : path, ':')) {
    if (is_program(std::filesystem::path(folder) / "atq-agent")) return folder + "/atq-agent";
  }
  return fail(ErrorKind::NotFound, "found no atq-agent beside " + self.string() +
                                       " or on PATH: give its path with --agent");
}

}  // namespace atq::app
