#include <nlohmann/json.hpp>

#include "controller/api/decode.hpp"
#include "controller/api/encode.hpp"
#include "controller/api/json_reader.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

FileSource decode_file(const json& object) {
  FileSource file;
  read(object, "inline", file.inline_files);
  if (const auto* source = member(object, "configMap")) read(*source, "name", file.config_map);
  if (const auto* source = member(object, "secret")) read(*source, "secretName", file.secret);
  if (const auto* source = member(object, "databind")) read(*source, "id", file.databind);
  read(object, "path", file.path);
  return file;
}

std::vector<FileSource> decode_files(const json& owner) {
  std::vector<FileSource> files;
  for_each_object(owner, "files", [&](const json& item) { files.push_back(decode_file(item)); });
  return files;
}

EnvVar decode_variable(const json& object) {
  EnvVar variable;
  read(object, "name", variable.name);
  read(object, "value", variable.value);
  const auto* from = member(object, "valueFrom");
  const auto* secret = from ? member(*from, "secretKeyRef") : nullptr;
  if (secret && secret->is_object()) {
    auto& reference = variable.secret_key_ref.emplace();
    read(*secret, "name", reference.name);
    read(*secret, "key", reference.key);
  }
  return variable;
}

Port decode_port(const json& object) {
  Port port;
  read(object, "name", port.name);
  read(object, "containerPort", port.port);
  read_enum(object, "protocol", {Protocol::Tcp, Protocol::Udp}, port.protocol);
  read(object, "publishedPort", port.published);
  return port;
}

CheckKind decode_check(const json& item) {
  if (const auto* udp = member(item, "udp")) {
    UdpCheck check;
    read(*udp, "port", check.port);
    read(*udp, "send", check.send);
    read(*udp, "expect", check.expect);
    return check;
  }
  if (const auto* http = member(item, "http")) {
    HttpCheck check;
    read(*http, "port", check.port);
    read(*http, "path", check.path);
    if (const auto* expect = member(*http, "expect")) {
      read(*expect, "status", check.status);
      read(*expect, "body", check.body);
    }
    return check;
  }
  if (const auto* exec = member(item, "exec")) {
    ExecCheck check;
    read(*exec, "image", check.image);
    read(*exec, "command", check.command);
    if (const auto* expect = member(*exec, "expect")) {
      read(*expect, "exitCode", check.exit_code);
      read(*expect, "output", check.output);
    }
    return check;
  }
  TcpCheck check;
  if (const auto* tcp = member(item, "tcp")) read(*tcp, "port", check.port);
  return check;
}

WorkerSpec decode_worker(const json& object) {
  WorkerSpec worker;
  worker.role = decode_role(object);
  read(object, "replicas", worker.replicas);
  read_enum(object, "onFailure", {OnFailure::Fail, OnFailure::Ignore}, worker.on_failure);
  const auto* readiness = member(object, "readiness");
  if (readiness && readiness->is_object()) worker.readiness = decode_readiness(*readiness);
  return worker;
}

RunPolicy decode_run_policy(const json& object) {
  RunPolicy policy;
  read(object, "suspend", policy.suspend);
  read(object, "startupDeadlineSeconds", policy.startup_deadline_seconds);
  read(object, "activeDeadlineSeconds", policy.active_deadline_seconds);
  read(object, "collectDeadlineSeconds", policy.collect_deadline_seconds);
  read(object, "stopGraceSeconds", policy.stop_grace_seconds);
  if (const auto* cleanup = member(object, "cleanup")) {
    read_enum(*cleanup, "policy",
              {CleanupPolicy::Always, CleanupPolicy::OnSuccess, CleanupPolicy::Never},
              policy.cleanup_policy);
    read(*cleanup, "afterSeconds", policy.cleanup_after_seconds);
  }
  return policy;
}

std::string text_of(const json& owner, const char* key) {
  const auto* value = member(owner, key);
  return value ? value->dump() : std::string{};
}

KubernetesOptions decode_kubernetes(const json& object) {
  KubernetesOptions options;
  if (const auto* role = member(object, "worker")) {
    options.worker_pod_template = text_of(*role, "podTemplate");
  }
  if (const auto* role = member(object, "master")) {
    options.master_pod_template = text_of(*role, "podTemplate");
  }
  read(object, "serviceAccountName", options.service_account_name);
  for_each_object(object, "imagePullSecrets", [&](const json& item) {
    read(item, "name", options.image_pull_secrets.emplace_back());
  });
  options.topology_spread_constraints = text_of(object, "topologySpreadConstraints");
  return options;
}

void decode_options(const json& document, LoadTestSpec& spec) {
  if (const auto* object = member(document, "kubernetes")) {
    spec.kubernetes = decode_kubernetes(*object);
  }
  if (const auto* object = member(document, "swarm")) {
    read(*object, "constraints", spec.swarm.constraints);
    read(*object, "encrypted", spec.swarm.encrypted);
    read(*object, "subnet", spec.swarm.subnet);
  }
  if (const auto* object = member(document, "process")) {
    read(*object, "networkNamespace", spec.process.network_namespace);
  }
}

}  // namespace

RoleSpec decode_role(const json& object) {
  RoleSpec role;
  read(object, "image", role.image);
  read(object, "command", role.command);
  read(object, "args", role.args);
  for_each_object(object, "env",
                  [&](const json& item) { role.env.push_back(decode_variable(item)); });
  read(object, "workingDir", role.working_dir);
  for_each_object(object, "ports",
                  [&](const json& item) { role.ports.push_back(decode_port(item)); });
  if (const auto* resources = member(object, "resources")) {
    read(*resources, "requests", role.resources.requests);
    read(*resources, "limits", role.resources.limits);
  }
  read(object, "tty", role.tty);
  role.files = decode_files(object);
  return role;
}

Readiness decode_readiness(const json& object) {
  Readiness readiness;
  read(object, "tcpPort", readiness.tcp_port);
  const auto* get = member(object, "httpGet");
  if (get && get->is_object()) {
    auto& http = readiness.http_get.emplace();
    read(*get, "port", http.port);
    read(*get, "path", http.path);
  }
  read(object, "log", readiness.log);
  read(object, "running", readiness.running);
  return readiness;
}

std::vector<HealthCheckItem> decode_checks(const json& owner) {
  std::vector<HealthCheckItem> checks;
  for_each_object(owner, "checks", [&](const json& object) {
    HealthCheckItem item;
    read(object, "name", item.name);
    item.check = decode_check(object);
    read(object, "timeoutSeconds", item.timeout_seconds);
    read(object, "periodSeconds", item.period_seconds);
    read(object, "successThreshold", item.success_threshold);
    checks.push_back(std::move(item));
  });
  return checks;
}

LoadTestSpec decode_spec_object(const json& document) {
  LoadTestSpec spec;
  read(document, "tool", spec.tool);
  read(document, "runtime", spec.runtime);
  read(document, "parameters", spec.parameters);
  if (const auto* load = member(document, "load")) {
    read(*load, "warmUpSeconds", spec.load.warm_up_seconds);
    read(*load, "rampDownSeconds", spec.load.ramp_down_seconds);
  }
  spec.files = decode_files(document);
  if (const auto* worker = member(document, "worker")) spec.worker = decode_worker(*worker);
  if (const auto* health = member(document, "healthCheck")) {
    read(*health, "delaySeconds", spec.health_check.delay_seconds);
    spec.health_check.checks = decode_checks(*health);
  }
  const auto* master = member(document, "master");
  if (master && master->is_object()) spec.master = decode_role(*master);
  read(document, "thresholds", spec.thresholds);
  read(document, "runNonce", spec.run_nonce);
  if (const auto* policy = member(document, "runPolicy")) {
    spec.run_policy = decode_run_policy(*policy);
  }
  decode_options(document, spec);
  return spec;
}

}  // namespace atq::api
