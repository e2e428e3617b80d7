#include <variant>

#include "controller/api/codec.hpp"
#include "controller/api/encode.hpp"
#include "controller/api/json_writer.hpp"
#include "src/base/hash.hpp"

namespace atq::api {
namespace {

void write_role(JsonWriter& json, const RoleSpec& role) {
  json.text("image", role.image);
  json.list("command", role.command);
  json.list("args", role.args);
  const auto env = json.open("env", '[');
  for (const EnvVar& variable : role.env) {
    json.element();
    json.always_text("name", variable.name);
    json.text("value", variable.value);
    if (variable.secret_key_ref) {
      json.open("valueFrom");
      json.open("secretKeyRef");
      json.always_text("name", variable.secret_key_ref->name);
      json.always_text("key", variable.secret_key_ref->key);
      json.close_keep();
      json.close_keep();
    }
    json.close_keep();
  }
  json.close(env, ']');
  json.text("workingDir", role.working_dir);
  write_ports(json, role.ports);
  const auto resources = json.open("resources");
  json.map("requests", role.resources.requests);
  json.map("limits", role.resources.limits);
  json.close(resources);
  json.flag("tty", role.tty);
  write_files(json, role.files);
}

void write_expect(JsonWriter& json, std::string_view number_name, int32_t number,
                  std::string_view text_name, const std::string& text) {
  const auto expect = json.open("expect");
  json.number(number_name, number);
  json.text(text_name, text);
  json.close(expect);
}

struct CheckWriter {
  JsonWriter& json;

  void operator()(const TcpCheck& check) const {
    json.open("tcp");
    json.always_number("port", check.port);
  }
  void operator()(const UdpCheck& check) const {
    json.open("udp");
    json.always_number("port", check.port);
    json.text("send", check.send);
    json.text("expect", check.expect);
  }
  void operator()(const HttpCheck& check) const {
    json.open("http");
    json.always_number("port", check.port);
    json.always_text("path", check.path);
    write_expect(json, "status", check.status, "body", check.body);
  }
  void operator()(const ExecCheck& check) const {
    json.open("exec");
    json.text("image", check.image);
    json.list("command", check.command);
    write_expect(json, "exitCode", check.exit_code, "output", check.output);
  }
};

void write_run_policy(JsonWriter& json, const RunPolicy& policy) {
  json.open("runPolicy");
  json.flag("suspend", policy.suspend);
  json.always_number("startupDeadlineSeconds", policy.startup_deadline_seconds);
  json.always_number("activeDeadlineSeconds", policy.active_deadline_seconds);
  json.always_number("collectDeadlineSeconds", policy.collect_deadline_seconds);
  json.always_number("stopGraceSeconds", policy.stop_grace_seconds);
  json.open("cleanup");
  json.always_text("policy", to_string(policy.cleanup_policy));
  json.number("afterSeconds", policy.cleanup_after_seconds);
  json.close_keep();
  json.close_keep();
}

void write_pod_template(JsonWriter& json, std::string_view role, const std::string& text) {
  const auto mark = json.open(role);
  json.raw("podTemplate", text);
  json.close(mark);
}

void write_kubernetes(JsonWriter& json, const KubernetesOptions& options) {
  const auto mark = json.open("kubernetes");
  write_pod_template(json, "worker", options.worker_pod_template);
  write_pod_template(json, "master", options.master_pod_template);
  json.text("serviceAccountName", options.service_account_name);
  const auto secrets = json.open("imagePullSecrets", '[');
  for (const std::string& name : options.image_pull_secrets) {
    json.element();
    json.always_text("name", name);
    json.close_keep();
  }
  json.close(secrets, ']');
  json.raw("topologySpreadConstraints", options.topology_spread_constraints);
  json.close(mark);
}

void write_worker(JsonWriter& json, const WorkerSpec& worker) {
  json.open("worker");
  json.always_number("replicas", worker.replicas);
  json.always_text("onFailure", to_string(worker.on_failure));
  write_role(json, worker.role);
  if (worker.readiness) write_readiness(json, *worker.readiness);
  json.close_keep();
}

void write_options(JsonWriter& json, const LoadTestSpec& spec) {
  write_kubernetes(json, spec.kubernetes);
  const auto swarm = json.open("swarm");
  json.list("constraints", spec.swarm.constraints);
  json.flag("encrypted", spec.swarm.encrypted);
  json.text("subnet", spec.swarm.subnet);
  json.close(swarm);
  const auto process = json.open("process");
  json.flag("networkNamespace", spec.process.network_namespace);
  json.close(process);
}

}  // namespace

std::string_view to_string(OnFailure value) noexcept {
  return value == OnFailure::Ignore ? "Ignore" : "Fail";
}

std::string_view to_string(CleanupPolicy value) noexcept {
  switch (value) {
    case CleanupPolicy::Always:
      return "Always";
    case CleanupPolicy::OnSuccess:
      return "OnSuccess";
    case CleanupPolicy::Never:
      return "Never";
  }
  return "";
}

std::string_view to_string(Protocol value) noexcept {
  return value == Protocol::Udp ? "UDP" : "TCP";
}

void write_files(JsonWriter& json, const std::vector<FileSource>& files) {
  const auto mark = json.open("files", '[');
  for (const FileSource& file : files) {
    json.element();
    json.map("inline", file.inline_files);
    const auto named = [&json](std::string_view key, std::string_view member,
                               const std::string& value) {
      const auto object = json.open(key);
      json.text(member, value);
      json.close(object);
    };
    named("configMap", "name", file.config_map);
    named("secret", "secretName", file.secret);
    named("databind", "id", file.databind);
    json.text("path", file.path);
    json.close_keep();
  }
  json.close(mark, ']');
}

void write_ports(JsonWriter& json, const std::vector<Port>& ports) {
  const auto mark = json.open("ports", '[');
  for (const Port& port : ports) {
    json.element();
    json.text("name", port.name);
    json.always_number("containerPort", port.port);
    json.always_text("protocol", to_string(port.protocol));
    json.number("publishedPort", port.published);
    json.close_keep();
  }
  json.close(mark, ']');
}

void write_readiness(JsonWriter& json, const Readiness& readiness) {
  json.open("readiness");
  json.number("tcpPort", readiness.tcp_port);
  if (readiness.http_get) {
    json.open("httpGet");
    json.always_number("port", readiness.http_get->port);
    json.always_text("path", readiness.http_get->path);
    json.close_keep();
  }
  json.text("log", readiness.log);
  json.flag("running", readiness.running);
  json.close_keep();
}

void write_checks(JsonWriter& json, const std::vector<HealthCheckItem>& checks) {
  const auto mark = json.open("checks", '[');
  for (const HealthCheckItem& item : checks) {
    json.element();
    json.always_text("name", item.name);
    std::visit(CheckWriter{json}, item.check);
    json.close_keep();
    json.always_number("timeoutSeconds", item.timeout_seconds);
    json.always_number("periodSeconds", item.period_seconds);
    json.always_number("successThreshold", item.success_threshold);
    json.close_keep();
  }
  json.close(mark, ']');
}

void write_spec(JsonWriter& json, const LoadTestSpec& spec) {
  json.always_text("tool", spec.tool);
  json.text("runtime", spec.runtime);
  json.map("parameters", spec.parameters);
  const auto load = json.open("load");
  json.number("warmUpSeconds", spec.load.warm_up_seconds);
  json.number("rampDownSeconds", spec.load.ramp_down_seconds);
  json.close(load);
  write_files(json, spec.files);
  write_worker(json, spec.worker);
  const auto health = json.open("healthCheck");
  json.number("delaySeconds", spec.health_check.delay_seconds);
  write_checks(json, spec.health_check.checks);
  json.close(health);
  if (spec.master) {
    json.open("master");
    write_role(json, *spec.master);
    json.close_keep();
  }
  json.list("thresholds", spec.thresholds);
  json.text("runNonce", spec.run_nonce);
  write_run_policy(json, spec.run_policy);
  write_options(json, spec);
}

std::string encode_spec(const LoadTestSpec& spec) {
  std::string out;
  out.reserve(4096);
  JsonWriter json(out);
  json.element();
  write_spec(json, spec);
  json.close_keep();
  return out;
}

std::string spec_hash(const LoadTestSpec& spec) {
  LoadTestSpec relevant = spec;
  relevant.run_nonce.clear();
  relevant.run_policy.suspend = false;
  return to_hex(fnv1a(encode_spec(relevant)));
}

}  // namespace atq::api
