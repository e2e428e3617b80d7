#include "src/runtimes/kubernetes/pod_template.hpp"

#include <map>
#include <utility>

#include <nlohmann/json.hpp>

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

constexpr int kUser = 65532;
constexpr char kFilePrefix[] = "atq.dev/file-";

Json pod_security() {
  return {{"runAsNonRoot", true},
          {"runAsUser", kUser},
          {"runAsGroup", kUser},
          {"fsGroup", kUser},
          {"fsGroupChangePolicy", "OnRootMismatch"},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

/// A node that is gone takes its pods with it soon.
Json tolerations() {
  Json list = Json::array();
  for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    list.push_back({{"key", key},
                    {"operator", "Exists"},
                    {"effect", "NoExecute"},
                    {"tolerationSeconds", kNodeLossSeconds}});
  }
  return list;
}

Json empty_dir(const char* name) { return {{"name", name}, {"emptyDir", Json::object()}}; }

Json owner(const std::string& api_version, const std::string& kind, const std::string& name,
           const std::string& uid) {
  return {{"apiVersion", api_version},
          {"kind", kind},
          {"name", name},
          {"uid", uid},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

/// Files of a role by name: for both roles first, then its own, which win.
struct FileSet {
  std::map<std::string, std::string> texts;
  Json sources = Json::array();

  void add(const std::vector<api::FileSource>& from) {
    for (const auto& source : from) {
      for (const auto& [name, text] : source.inline_files) texts[name] = text;
      if (!source.config_map.empty()) {
        sources.push_back({{"configMap", {{"name", source.config_map}}}});
      }
      if (!source.secret.empty()) sources.push_back({{"secret", {{"name", source.secret}}}});
    }
  }
};

FileSet files_of(const ObjectContext& context, core::Role role) {
  FileSet set;
  const auto& spec = context.frozen.spec;
  set.add(spec.files);
  for (const auto& file : context.files) {
    if (!file.role) set.texts[file.name] = file.content;
  }
  set.add(role == core::Role::Master ? spec.master->files : spec.worker.role.files);
  for (const auto& file : context.files) {
    if (file.role == role) set.texts[file.name] = file.content;
  }
  return set;
}

}  // namespace

Json mount(const std::string& volume, const std::string& path, bool read_only) {
  Json json = {{"name", volume}, {"mountPath", path}};
  if (read_only) json["readOnly"] = true;
  return json;
}

Json container_security(bool read_only_root) {
  Json json = {{"allowPrivilegeEscalation", false}, {"capabilities", {{"drop", {"ALL"}}}}};
  if (read_only_root) json["readOnlyRootFilesystem"] = true;
  return json;
}

Json agent_resources() {
  return {{"requests", {{"cpu", "10m"}, {"memory", "16Mi"}}},
          {"limits", {{"cpu", "500m"}, {"memory", "64Mi"}}}};
}

Json agent_container(const ObjectContext& context, const std::string& name,
                     const std::vector<std::string>& arguments) {
  return {{"name", name},
          {"image", context.agent_image},
          {"imagePullPolicy", context.agent_pull_policy},
          {"command", arguments},
          {"resources", agent_resources()},
          {"securityContext", container_security(true)}};
}

Json pod_template(const ObjectContext& context, Part part, Json containers, bool install_agent) {
  const std::string run = run_name(context.id, context.key.name);
  const auto& options = context.frozen.spec.kubernetes;
  Json spec = {{"restartPolicy", "Never"},
               {"subdomain", run},
               {"enableServiceLinks", false},
               {"automountServiceAccountToken", false},
               {"terminationGracePeriodSeconds",
                context.frozen.spec.run_policy.stop_grace_seconds + kGraceMarginSeconds},
               {"securityContext", pod_security()},
               {"tolerations", tolerations()},
               {"volumes", {empty_dir("bin"), empty_dir("out")}},
               {"containers", std::move(containers)}};
  if (install_agent) {
    Json agent = agent_container(context, kAgentContainer, {"/atq-agent", "install", kBinFolder});
    agent["volumeMounts"] = {mount("bin", kBinFolder)};
    spec["initContainers"] = Json::array({std::move(agent)});
  }
  if (!options.service_account_name.empty()) {
    spec["serviceAccountName"] = options.service_account_name;
  }
  for (const auto& secret : options.image_pull_secrets) {
    spec["imagePullSecrets"].push_back({{"name", secret}});
  }
  Json labels = labels_of(context.id, context.key.name, part);
  labels["sidecar.istio.io/inject"] = "false";  // Istio reads the label
  Json annotations = {{"sidecar.istio.io/inject", "false"},
                      {"linkerd.io/inject", "disabled"},
                      {"kuma.io/sidecar-injection", "disabled"}};
  return {{"metadata", {{"labels", std::move(labels)}, {"annotations", std::move(annotations)}}},
          {"spec", std::move(spec)}};
}

Result<void> add_files(const ObjectContext& context, core::Role role, Json& pod) {
  FileSet files = files_of(context, role);
  Json items = Json::array();
  int number = 0;
  for (auto& [name, text] : files.texts) {
    const std::string key = kFilePrefix + std::to_string(number++);
    pod["metadata"]["annotations"][key] = std::move(text);
    items.push_back(
        {{"path", name}, {"fieldRef", {{"fieldPath", "metadata.annotations['" + key + "']"}}}});
  }
  // Last, so that a file given in the object itself wins over one of a ConfigMap.
  if (!items.empty()) files.sources.push_back({{"downwardAPI", {{"items", std::move(items)}}}});
  Json volume = empty_dir("data");
  if (!files.sources.empty()) {
    volume = {{"name", "data"}, {"projected", {{"sources", std::move(files.sources)}}}};
  }
  pod["spec"]["volumes"].push_back(std::move(volume));
  return check_size(pod["metadata"], "the inline files of the " +
                                         std::string(core::to_string(role)) +
                                         "; put them into a ConfigMap");
}

Result<void> check_size(const Json& metadata, const std::string& what) {
  size_t bytes = 0;
  for (const auto& [key, value] : metadata["annotations"].items()) {
    bytes += key.size() + value.get_ref<const std::string&>().size();
  }
  if (bytes <= kMaxAnnotationBytes) return {};
  return fail(ErrorKind::Invalid, "too large for Kubernetes: " + std::to_string(bytes / 1024) +
                                      " KiB, at most 256 KiB: " + what);
}

Json job_object(const ObjectContext& context, Part part, int completions, bool suspend, Json pod) {
  const std::string run = run_name(context.id, context.key.name);
  Json spec = {{"completionMode", "Indexed"},
               {"completions", completions},
               {"parallelism", completions},
               {"backoffLimitPerIndex", 0},
               // The director judges what a lost worker means; the Job must not end the others.
               {"maxFailedIndexes", completions},
               {"podReplacementPolicy", "Failed"},
               {"template", std::move(pod)}};
  if (suspend) spec["suspend"] = true;
  Json annotations = Json::object();
  if (suspend) annotations[std::string(kReleaseAnnotation)] = context.fence;
  Json metadata = {{"name", object_name(run, part)},
                   {"namespace", context.key.ns},
                   {"labels", labels_of(context.id, context.key.name, part)},
                   {"annotations", std::move(annotations)},
                   {"ownerReferences", {owner("v1", "Service", run, context.service_uid)}}};
  return {{"apiVersion", "batch/v1"},
          {"kind", "Job"},
          {"metadata", std::move(metadata)},
          {"spec", std::move(spec)}};
}

Result<Json> service_object(const ObjectContext& context, const std::string& packed_frozen) {
  const std::string run = run_name(context.id, context.key.name);
  Json annotations = {{std::string(kKeyAnnotation), api::to_string(context.key)},
                      {std::string(kUidAnnotation), context.id.uid},
                      {std::string(kFrozenAnnotation), packed_frozen}};
  if (!context.files.empty()) {
    annotations[std::string(kFilesAnnotation)] = encode_files(context.files);
  }
  // Without a master there is no inert object; the Service stands for it.
  if (!context.frozen.spec.master) annotations[std::string(kReleaseAnnotation)] = context.fence;
  Json metadata = {{"name", run},
                   {"namespace", context.key.ns},
                   {"labels", labels_of(context.id, context.key.name, Part::Network)},
                   {"annotations", std::move(annotations)}};
  if (!context.loadtest_uid.empty()) {
    metadata["ownerReferences"] = {owner(std::string(api::kApiVersion), std::string(api::kKind),
                                         context.key.name, context.loadtest_uid)};
  }
  if (auto fits = check_size(metadata, "the spec; put files into a ConfigMap"); !fits) {
    return std::unexpected(fits.error());
  }
  return Json{{"apiVersion", "v1"},
              {"kind", "Service"},
              {"metadata", std::move(metadata)},
              {"spec",
               {{"clusterIP", "None"},
                {"ipFamilyPolicy", "PreferDualStack"},
                {"publishNotReadyAddresses", true},
                {"selector", {{std::string(kRunIdLabel), run}}}}}};
}

}  // namespace atq::kubernetes
