// The Job of the checks that no native probe can do.

#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/agent/protocol.hpp"
#include "src/base/expand.hpp"
#include "src/runtimes/kubernetes/environment.hpp"
#include "src/runtimes/kubernetes/objects.hpp"
#include "src/runtimes/kubernetes/pod_template.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

constexpr char kSpecPrefix[] = "atq.dev/checks-";

struct FillTarget {
  const ObjectContext& context;
  agent::ProbeTarget& target;

  void operator()(const api::TcpCheck& check) const {
    target.kind = "tcp";
    target.port = check.port;
  }
  void operator()(const api::UdpCheck& check) const {
    target.kind = "udp";
    target.port = check.port;
    target.send = check.send;
    target.expect = check.expect;
  }
  void operator()(const api::HttpCheck& check) const {
    target.kind = "http";
    target.port = check.port;
    target.path = check.path;
    target.status = check.status;
    target.expect = check.body;
  }
  void operator()(const api::ExecCheck& check) const {
    target.kind = "exec";
    target.environment = check_environment(context, target.worker);
    for (const auto& part : check.command) {
      target.command.push_back(expand_variables(part, target.environment));
    }
    target.exit_code = check.exit_code;
    target.expect = check.output;
  }
};

/// Targets by the image they need; "" is the agent's own.
using Groups = std::map<std::string, std::vector<agent::ProbeTarget>>;

Groups group_targets(const ObjectContext& context) {
  Groups groups;
  for (const auto& check : context.frozen.spec.health_check.checks) {
    const auto* exec = std::get_if<api::ExecCheck>(&check.check);
    auto& group = groups[exec != nullptr ? exec->image : ""];
    for (size_t worker = 0; worker < context.addresses.size(); ++worker) {
      if (context.addresses[worker].empty()) continue;
      agent::ProbeTarget target;
      target.name = check.name;
      target.worker = static_cast<int>(worker);
      target.host = context.addresses[worker];
      target.timeout_ms = int64_t{1000} * check.timeout_seconds;
      target.period_ms = int64_t{1000} * check.period_seconds;
      target.success_threshold = check.success_threshold;
      std::visit(FillTarget{context, target}, check.check);
      group.push_back(std::move(target));
    }
  }
  return groups;
}

Json probe_container(const ObjectContext& context, const std::string& name,
                     const std::string& image, const std::string& file) {
  const bool own = image.empty();
  Json container = agent_container(
      context, name, {own ? "/atq-agent" : kAgentPath, "probe", "--spec", file, "--report", "-"});
  container["volumeMounts"] = {mount("checks", kChecksFolder, true), mount("out", kOutFolder)};
  if (own) return container;
  container["image"] = image;
  container.erase("imagePullPolicy");
  container["securityContext"] = container_security(false);
  container["workingDir"] = kDataFolder;
  container["volumeMounts"].push_back(mount("bin", kBinFolder, true));
  container["volumeMounts"].push_back(mount("data", kDataFolder, true));
  container.erase("resources");
  return container;
}

}  // namespace

Result<Json> probe_job(const ObjectContext& context) {
  Json containers = Json::array();
  Json items = Json::array();
  Json annotations = Json::object();
  bool with_images = false;
  for (const auto& [image, targets] : group_targets(context)) {
    const std::string number = std::to_string(containers.size());
    const std::string key = kSpecPrefix + number;
    const std::string file = "checks-" + number + ".json";
    annotations[key] = agent::encode(targets);
    items.push_back(
        {{"path", file}, {"fieldRef", {{"fieldPath", "metadata.annotations['" + key + "']"}}}});
    containers.push_back(probe_container(context, "probe-" + number, image,
                                         std::string(kChecksFolder) + "/" + file));
    with_images = with_images || !image.empty();
  }
  Json pod = pod_template(context, Part::Probe, std::move(containers), with_images);
  pod["metadata"]["annotations"].update(annotations);
  pod["spec"]["volumes"].push_back(
      {{"name", "checks"}, {"downwardAPI", {{"items", std::move(items)}}}});
  if (with_images) {
    auto added = add_files(context, core::Role::Worker, pod);
    if (!added) return std::unexpected(added.error());
  }
  auto fits = check_size(pod["metadata"],
                         "the health checks of so many workers; use fewer checks, "
                         "or one of kind tcp or http alone");
  if (!fits) return std::unexpected(fits.error());
  // A prober that is killed begins anew; its container's log does too.
  pod["spec"]["restartPolicy"] = "OnFailure";
  Json job = job_object(context, Part::Probe, 1, false, std::move(pod));
  Json& spec = job["spec"];
  spec["completionMode"] = "NonIndexed";
  spec["podReplacementPolicy"] = "Failed";
  for (const char* name : {"backoffLimitPerIndex", "maxFailedIndexes"}) spec.erase(name);
  return job;
}

}  // namespace atq::kubernetes
