#include "src/runtimes/kubernetes/objects.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"
#include "src/runtimes/kubernetes/environment.hpp"
#include "src/runtimes/kubernetes/merge.hpp"
#include "src/runtimes/kubernetes/pod_template.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

/// What makes the objects ours, which no podTemplate may change.
constexpr const char* kOurSpec[] = {"restartPolicy", "subdomain"};

const api::RoleSpec& role_spec(const ObjectContext& context, core::Role role) {
  return role == core::Role::Master ? *context.frozen.spec.master : context.frozen.spec.worker.role;
}

/// IANA service name: at most 15 signs, one of them a letter. Others go without a name.
bool is_port_name(const std::string& name) {
  return !name.empty() && name.size() <= 15 &&
         std::any_of(name.begin(), name.end(),
                     [](unsigned char sign) { return std::isalpha(sign) != 0; });
}

Json ports_of(const api::RoleSpec& role) {
  Json list = Json::array();
  for (const auto& port : role.ports) {
    Json one = {{"containerPort", port.port},
                {"protocol", port.protocol == api::Protocol::Udp ? "UDP" : "TCP"}};
    if (is_port_name(port.name)) one["name"] = port.name;
    list.push_back(std::move(one));
  }
  return list;
}

std::vector<std::string> stop_arguments(const api::StopSignal& stop,
                                        const std::vector<api::Port>& ports) {
  for (const auto& port : ports) {
    if (stop.udp_port.empty() || port.name != stop.udp_port) continue;
    return {"--stop-udp", std::to_string(port.port), "--stop-graceful", stop.graceful, "--stop-now",
            stop.now};
  }
  return {};
}

std::vector<std::string> command_of(const ObjectContext& context, core::Role role,
                                    const ReadinessPlan& plan) {
  const api::RoleSpec& spec = role_spec(context, role);
  const bool worker = role == core::Role::Worker;
  const int64_t grace_ms = int64_t{1000} * context.frozen.spec.run_policy.stop_grace_seconds;
  std::vector<std::string> out = {kAgentPath,          "pod",
                                  "--termination-log", "/dev/termination-log",
                                  "--grace-ms",        std::to_string(grace_ms),
                                  "--address",         "$(ATQ_ADDRESS)"};
  const auto stop =
      stop_arguments(worker ? context.frozen.worker_stop : context.frozen.master_stop, spec.ports);
  out.insert(out.end(), stop.begin(), stop.end());
  if (worker && plan.agent_port != 0) {
    out.insert(out.end(), {"--listen", std::to_string(plan.agent_port)});
    // "$$(" is what the kubelet makes "$(" of: the pattern is no reference.
    if (!plan.ready_log.empty()) {
      std::string pattern;
      for (const char sign : plan.ready_log) pattern += sign == '$' ? "$$" : std::string(1, sign);
      out.insert(out.end(), {"--ready-log", pattern});
    }
  }
  if (worker && !context.frozen.spec.master) {
    out.insert(out.end(), {"--wait-for-start", run_name(context.id, context.key.name)});
  }
  out.push_back("--");
  out.insert(out.end(), spec.command.begin(), spec.command.end());
  out.insert(out.end(), spec.args.begin(), spec.args.end());
  return out;
}

Json main_container(const ObjectContext& context, core::Role role) {
  const api::RoleSpec& spec = role_spec(context, role);
  const ReadinessPlan plan = plan_readiness(context.frozen);
  Json main = {{"name", kMainContainer},
               {"image", spec.image},
               {"command", command_of(context, role, plan)},
               {"workingDir", spec.working_dir.empty() ? kDataFolder : spec.working_dir},
               {"env", environment_of(context, role)},
               {"securityContext", container_security(false)},
               {"volumeMounts",
                {mount("bin", kBinFolder, true), mount("data", kDataFolder, true),
                 mount("out", kOutFolder)}}};
  if (!spec.ports.empty()) main["ports"] = ports_of(spec);
  for (const auto& [name, value] : spec.resources.requests) {
    main["resources"]["requests"][name] = value;
  }
  for (const auto& [name, value] : spec.resources.limits) main["resources"]["limits"][name] = value;
  if (spec.tty) main["tty"] = true;
  if (role == core::Role::Worker && plan.has_probe()) main["readinessProbe"] = native_probe(plan);
  return main;
}

Result<void> apply_hatches(const ObjectContext& context, core::Role role, Json& pod) {
  const auto& options = context.frozen.spec.kubernetes;
  if (role == core::Role::Worker && !options.topology_spread_constraints.empty()) {
    Json constraints = Json::parse(options.topology_spread_constraints, nullptr, false);
    if (!constraints.is_array()) {
      return fail(ErrorKind::Invalid, "kubernetes.topologySpreadConstraints: expected a list");
    }
    for (Json& constraint : constraints) {
      if (constraint.is_object() && !constraint.contains("labelSelector")) {
        constraint["labelSelector"]["matchLabels"] = {
            {std::string(kRunIdLabel), pod["metadata"]["labels"][std::string(kRunIdLabel)]},
            {std::string(kRoleLabel), pod["metadata"]["labels"][std::string(kRoleLabel)]}};
      }
    }
    pod["spec"]["topologySpreadConstraints"] = std::move(constraints);
  }
  const std::string& text =
      role == core::Role::Master ? options.master_pod_template : options.worker_pod_template;
  if (text.empty()) return {};
  const Json before = pod;
  auto merged = merge_pod_template(pod, Json::parse(text, nullptr, false));
  if (!merged) {
    return fail_with("kubernetes." + std::string(core::to_string(role)), merged.error());
  }
  if (!pod["spec"].is_object() || !pod["metadata"].is_object()) {
    return fail(ErrorKind::Invalid,
                "kubernetes." + std::string(core::to_string(role)) + ".podTemplate leaves no pod");
  }
  for (const auto& [name, value] : before["metadata"]["labels"].items()) {
    if (name.starts_with("atq.dev/") || name == kManagedBy) {
      pod["metadata"]["labels"][name] = value;
    }
  }
  for (const char* name : kOurSpec) pod["spec"][name] = before["spec"][name];
  return {};
}

Result<Json> role_pod(const ObjectContext& context, core::Role role, Part part) {
  Json pod = pod_template(context, part, Json::array({main_container(context, role)}), true);
  if (auto added = add_files(context, role, pod); !added) return std::unexpected(added.error());
  auto done = apply_hatches(context, role, pod);
  if (!done) return std::unexpected(done.error());
  return pod;
}

}  // namespace

Result<Json> worker_job(const ObjectContext& context) {
  auto pod = role_pod(context, core::Role::Worker, Part::Worker);
  if (!pod) return pod;
  return job_object(context, Part::Worker, context.frozen.spec.worker.replicas, false,
                    std::move(*pod));
}

Result<Json> master_job(const ObjectContext& context) {
  auto pod = role_pod(context, core::Role::Master, Part::Master);
  if (!pod) return pod;
  return job_object(context, Part::Master, 1, true, std::move(*pod));
}

Json starter_job(const ObjectContext& context) {
  const ReadinessPlan plan = plan_readiness(context.frozen);
  std::vector<std::string> targets;
  for (const auto& address : context.addresses) {
    if (!address.empty()) targets.push_back(endpoint(address, plan.agent_port));
  }
  Json main =
      agent_container(context, kMainContainer,
                      {"/atq-agent", "start", "--token", run_name(context.id, context.key.name),
                       "--targets", join(targets, ","), "--timeout", "30s"});
  // Where not all could be started, the report is in the pod's status without a look at its log.
  main["terminationMessagePolicy"] = "FallbackToLogsOnError";
  return job_object(context, Part::Master, 1, false,
                    pod_template(context, Part::Master, Json::array({std::move(main)}), false));
}

Result<void> check_supported(const api::FrozenSpec& frozen) {
  const auto check = [](const api::RoleSpec& role, const char* name) -> Result<void> {
    if (role.image.empty()) {
      return fail(ErrorKind::Invalid,
                  std::string(name) + ".image: is missing; Kubernetes needs one");
    }
    if (role.command.empty() && role.args.empty()) {
      return fail(ErrorKind::Invalid, std::string(name) +
                                          ".command: is missing; atq-agent starts the tool, and "
                                          "cannot know the image's own command");
    }
    return {};
  };
  if (auto fine = check(frozen.spec.worker.role, "worker"); !fine) return fine;
  if (frozen.spec.master) return check(*frozen.spec.master, "master");
  return {};
}

}  // namespace atq::kubernetes
