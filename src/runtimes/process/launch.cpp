#include "src/runtimes/process/launch.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "src/base/expand.hpp"
#include "src/base/text.hpp"

namespace atq::process {
namespace {

const Place& place_of(const RunRecord& record, core::Role role, int index) {
  return role == core::Role::Master ? *record.master
                                    : record.workers.at(static_cast<size_t>(index));
}

/// "rmi-port" as it stands in a variable's name: "RMI_PORT".
std::string variable_part(std::string_view name) {
  std::string out;
  for (const char sign : name) {
    out += sign == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(sign)));
  }
  return out;
}

void add_ports(std::map<std::string, std::string>& environment, const std::string& prefix,
               const Place& place) {
  for (const auto& port : place.ports) {
    if (!port.name.empty()) {
      environment[prefix + variable_part(port.name)] = std::to_string(port.actual);
    }
  }
}

/// "address:port" of each worker's first declared port; only the address where none is declared.
std::string worker_endpoints(const RunRecord& record) {
  std::vector<std::string> out;
  for (const auto& place : record.workers) {
    out.push_back(place.ports.empty()
                      ? place.address
                      : place.address + ":" + std::to_string(place.ports.front().actual));
  }
  return join(out, ",");
}

/// The variables a role shares with the checks.
std::map<std::string, std::string> common_environment(const LaunchContext& context) {
  auto environment = context.inherited;
  environment["ATQ_LOADTEST"] = context.record.key.name;
  environment["ATQ_RUN"] = std::to_string(context.record.id.number);
  environment["ATQ_WORKER_COUNT"] = std::to_string(context.record.workers.size());
  return environment;
}

const api::RoleSpec& role_spec(const api::FrozenSpec& frozen, core::Role role) {
  return role == core::Role::Master ? *frozen.spec.master : frozen.spec.worker.role;
}

agent::ReadinessSpec readiness_of(const api::FrozenSpec& frozen, const Place& place) {
  agent::ReadinessSpec out;
  const auto& readiness = frozen.spec.worker.readiness;
  if (!readiness) return out;
  if (readiness->tcp_port != 0) out.tcp_port = actual_port(place, readiness->tcp_port);
  if (readiness->http_get) {
    out.http_port = actual_port(place, readiness->http_get->port);
    out.http_path = readiness->http_get->path;
  }
  out.log_pattern = readiness->log;
  return out;
}

agent::StopSpec stop_of(const api::StopSignal& signal, const Place& place) {
  agent::StopSpec out{.graceful = signal.graceful, .now = signal.now};
  for (const auto& port : place.ports) {
    if (!signal.udp_port.empty() && port.name == signal.udp_port) out.udp_port = port.actual;
  }
  return out;
}

std::map<std::string, std::string> check_environment(const LaunchContext& context, int worker) {
  auto environment = common_environment(context);
  const Place& place = context.record.workers.at(static_cast<size_t>(worker));
  environment["ATQ_ROLE"] = "check";
  environment["ATQ_WORKER_INDEX"] = std::to_string(worker);
  environment["ATQ_WORKER_ADDRESS"] = place.address;
  environment["WORKER_CSV_VIPS"] = worker_addresses(context.record);
  environment["ATQ_WORKER_ENDPOINTS"] = worker_endpoints(context.record);
  environment["ATQ_DATA"] = context.folder.files(core::Role::Worker).native();
  environment["ATQ_OUT"] = (context.folder.checks() / "out").native();
  if (context.record.master) environment["ATQ_MASTER_HOST"] = context.record.master->address;
  add_ports(environment, "ATQ_PORT_", place);
  return environment;
}

struct FillTarget {
  const LaunchContext& context;
  const Place& place;
  agent::ProbeTarget& target;

  void operator()(const api::TcpCheck& check) const {
    target.kind = "tcp";
    target.port = actual_port(place, check.port);
  }
  void operator()(const api::UdpCheck& check) const {
    target.kind = "udp";
    target.port = actual_port(place, check.port);
    target.send = check.send;
    target.expect = check.expect;
  }
  void operator()(const api::HttpCheck& check) const {
    target.kind = "http";
    target.port = actual_port(place, check.port);
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

/// What of a role cannot be given; "" where all can.
std::string unsupported(const api::RoleSpec& role) {
  if (role.command.empty() && role.args.empty()) {
    return " has no command: the process runtime has no image to take it from; set command";
  }
  for (const auto& variable : role.env) {
    if (variable.secret_key_ref) {
      return " variable " + variable.name +
             " refers to a secret, and the process runtime has no secrets; set value";
    }
  }
  return {};
}

}  // namespace

std::map<std::string, std::string> inherited_environment() {
  std::map<std::string, std::string> out;
  for (const char* name : {"PATH", "HOME", "LANG", "TMPDIR"}) {
    if (const char* value = std::getenv(name)) out[name] = value;
  }
  out.try_emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  return out;
}

std::map<std::string, std::string> environment_of(const LaunchContext& context, core::Role role,
                                                  int index) {
  const RunRecord& record = context.record;
  const Place& place = place_of(record, role, index);
  const auto folder = context.folder.replica(role, index);
  auto environment = common_environment(context);
  environment["ATQ_ADDRESS"] = place.address;
  environment["ATQ_DATA"] = (folder / "data").native();
  environment["ATQ_OUT"] = (folder / "out").native();
  if (!context.frozen.plan.empty()) {
    environment["ATQ_PLAN"] = (folder / "data" / context.frozen.plan).native();
  }
  add_ports(environment, "ATQ_PORT_", place);
  if (role == core::Role::Worker) {
    environment["ATQ_ROLE"] = "worker";
    environment["ATQ_WORKER_INDEX"] = std::to_string(index);
    if (record.master) {
      environment["ATQ_MASTER_HOST"] = record.master->address;
      add_ports(environment, "ATQ_MASTER_PORT_", *record.master);
    }
  } else {
    environment["ATQ_ROLE"] = "master";
    environment["WORKER_CSV_VIPS"] = worker_addresses(record);
    environment["REMOTES"] = environment["WORKER_CSV_VIPS"];
    environment["ATQ_WORKER_ENDPOINTS"] = worker_endpoints(record);
  }
  for (const auto& variable : role_spec(context.frozen, role).env) {
    environment[variable.name] = expand_variables(variable.value, environment);
  }
  return environment;
}

agent::ReplicaSpec replica_spec(const LaunchContext& context, core::Role role, int index) {
  const Place& place = place_of(context.record, role, index);
  const api::RoleSpec& wanted = role_spec(context.frozen, role);
  const bool worker = role == core::Role::Worker;
  const std::filesystem::path data = context.folder.replica(role, index) / "data";
  agent::ReplicaSpec spec;
  spec.command = wanted.command;
  spec.command.insert(spec.command.end(), wanted.args.begin(), wanted.args.end());
  spec.environment = environment_of(context, role, index);
  // An absolute path stays as it is; a relative one, and none, is below the files.
  spec.working_dir = (data / wanted.working_dir).native();
  spec.address = place.address;
  spec.tty = wanted.tty;
  spec.wait_for_release = worker && !context.frozen.spec.master;
  spec.die_with_parent = context.die_with_parent;
  if (worker) spec.readiness = readiness_of(context.frozen, place);
  spec.stop = stop_of(worker ? context.frozen.worker_stop : context.frozen.master_stop, place);
  spec.grace_ms = int64_t{1000} * context.frozen.spec.run_policy.stop_grace_seconds;
  return spec;
}

std::vector<agent::ProbeTarget> probe_targets(const LaunchContext& context) {
  std::vector<agent::ProbeTarget> out;
  for (const auto& check : context.frozen.spec.health_check.checks) {
    for (size_t worker = 0; worker < context.record.workers.size(); ++worker) {
      const Place& place = context.record.workers[worker];
      agent::ProbeTarget target;
      target.name = check.name;
      target.worker = static_cast<int>(worker);
      target.host = place.address;
      target.timeout_ms = int64_t{1000} * check.timeout_seconds;
      target.period_ms = int64_t{1000} * check.period_seconds;
      target.success_threshold = check.success_threshold;
      std::visit(FillTarget{context, place, target}, check.check);
      out.push_back(std::move(target));
    }
  }
  return out;
}

std::string worker_addresses(const RunRecord& record) {
  std::vector<std::string> out;
  for (const auto& place : record.workers) out.push_back(place.address);
  return join(out, ",");
}

int actual_port(const Place& place, int declared) {
  const auto found =
      std::find_if(place.ports.begin(), place.ports.end(),
                   [declared](const PortPlace& port) { return port.declared == declared; });
  return found == place.ports.end() ? declared : found->actual;
}

Result<void> check_supported(const api::FrozenSpec& frozen) {
  std::string problem = unsupported(frozen.spec.worker.role);
  std::string role = "worker";
  if (problem.empty() && frozen.spec.master) {
    problem = unsupported(*frozen.spec.master);
    role = "master";
  }
  if (problem.empty()) return {};
  role += problem;
  return fail(ErrorKind::Invalid, std::move(role));
}

std::string describe_readiness(const api::FrozenSpec& frozen, const Place& place) {
  const agent::ReadinessSpec readiness = readiness_of(frozen, place);
  if (readiness.tcp_port != 0) {
    return "tcp " + std::to_string(readiness.tcp_port) + " not yet accepting";
  }
  if (readiness.http_port != 0) {
    return "http " + std::to_string(readiness.http_port) + readiness.http_path +
           " not yet answering well";
  }
  if (!readiness.log_pattern.empty()) {
    return "its output does not match /" + truncate(readiness.log_pattern, 80) + "/ yet";
  }
  return "not yet started";
}

}  // namespace atq::process
