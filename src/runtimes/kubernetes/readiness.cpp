#include "src/runtimes/kubernetes/readiness.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"

namespace atq::kubernetes {
namespace {

constexpr int kAgentPort = 7077;

/// The first port from ours on that the tool has not declared.
int free_port(const std::vector<api::Port>& ports) {
  int port = kAgentPort;
  const auto taken = [&](int candidate) {
    return std::any_of(ports.begin(), ports.end(),
                       [candidate](const api::Port& one) { return one.port == candidate; });
  };
  while (taken(port)) ++port;
  return port;
}

/// The check as a native probe; false where the kubelet cannot do it.
bool fill_probe(const api::HealthCheckItem& check, ReadinessPlan& plan) {
  if (const auto* tcp = std::get_if<api::TcpCheck>(&check.check)) {
    plan.tcp_port = tcp->port;
  } else if (const auto* http = std::get_if<api::HttpCheck>(&check.check)) {
    // The kubelet takes 200 to 399 and looks at nothing else.
    if (http->status != 0 || !http->body.empty()) return false;
    plan.http_get = api::HttpGet{.port = http->port, .path = http->path};
  } else {
    return false;
  }
  plan.timeout_seconds = check.timeout_seconds;
  plan.period_seconds = check.period_seconds;
  plan.success_threshold = check.success_threshold;
  return true;
}

bool is_trivial(const std::optional<api::Readiness>& readiness) {
  return !readiness || (readiness->tcp_port == 0 && !readiness->http_get && readiness->log.empty());
}

/// The readiness asks for what the probe does.
bool is_same(const api::Readiness& readiness, const ReadinessPlan& probe) {
  return readiness.log.empty() && readiness.tcp_port == probe.tcp_port &&
         readiness.http_get == probe.http_get;
}

void fill_readiness(const api::Readiness& readiness, const std::vector<api::Port>& ports,
                    ReadinessPlan& plan) {
  plan.readiness_by_container = true;
  if (!readiness.log.empty()) {
    plan.agent_port = free_port(ports);
    plan.ready_log = readiness.log;
    plan.http_get = api::HttpGet{.port = plan.agent_port, .path = "/ready"};
  } else {
    plan.tcp_port = readiness.tcp_port;
    plan.http_get = readiness.http_get;
  }
}

}  // namespace

ReadinessPlan plan_readiness(const api::FrozenSpec& frozen) {
  const auto& worker = frozen.spec.worker;
  const auto& checks = frozen.spec.health_check.checks;
  ReadinessPlan plan;
  if (!frozen.spec.master) {
    plan.agent_port = free_port(worker.role.ports);
    plan.needs_probe_job = !checks.empty();
    return plan;
  }
  const bool trivial = is_trivial(worker.readiness);
  if (checks.size() == 1) {
    ReadinessPlan probe;
    if (fill_probe(checks.front(), probe) && (trivial || is_same(*worker.readiness, probe))) {
      probe.check_by_container = true;
      probe.readiness_by_container = !trivial;
      return probe;
    }
  }
  plan.needs_probe_job = !checks.empty();
  if (!trivial) fill_readiness(*worker.readiness, worker.role.ports, plan);
  return plan;
}

nlohmann::json native_probe(const ReadinessPlan& plan) {
  if (!plan.has_probe()) return nullptr;
  nlohmann::json probe = {{"timeoutSeconds", plan.timeout_seconds},
                          {"periodSeconds", plan.period_seconds},
                          {"successThreshold", plan.success_threshold},
                          {"failureThreshold", 1}};
  if (plan.tcp_port != 0) {
    probe["tcpSocket"] = {{"port", plan.tcp_port}};
  } else {
    probe["httpGet"] = {{"port", plan.http_get->port}, {"path", plan.http_get->path}};
  }
  return probe;
}

std::string describe_readiness(const ReadinessPlan& plan) {
  if (plan.tcp_port != 0) return "tcp " + std::to_string(plan.tcp_port) + " not yet accepting";
  if (!plan.ready_log.empty()) {
    return "its output does not match /" + truncate(plan.ready_log, 80) + "/ yet";
  }
  if (plan.http_get) {
    return "http " + std::to_string(plan.http_get->port) + plan.http_get->path +
           " not yet answering well";
  }
  return "not yet started";
}

}  // namespace atq::kubernetes
