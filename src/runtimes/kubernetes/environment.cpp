#include "src/runtimes/kubernetes/environment.hpp"

#include <cctype>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"
#include "src/runtimes/kubernetes/names.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

/// "rmi-port" as it stands in a variable's name: "RMI_PORT".
std::string variable_part(std::string_view name) {
  std::string out;
  for (const char sign : name) {
    out += sign == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(sign)));
  }
  return out;
}

class Environment {
 public:
  void add(const std::string& name, const std::string& value) {
    list_.push_back({{"name", name}, {"value", value}});
  }
  void add_field(const std::string& name, const std::string& path) {
    list_.push_back({{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}});
  }
  void add_ports(const std::string& prefix, const std::vector<api::Port>& ports) {
    for (const auto& port : ports) {
      if (!port.name.empty()) add(prefix + variable_part(port.name), std::to_string(port.port));
    }
  }
  /// The user's own replaces ours, as a list with one name twice would be refused by patches.
  void add_user(const api::EnvVar& variable) {
    std::erase_if(list_, [&](const Json& one) { return one["name"] == variable.name; });
    if (!variable.secret_key_ref) return add(variable.name, variable.value);
    list_.push_back(
        {{"name", variable.name},
         {"valueFrom",
          {{"secretKeyRef",
            {{"name", variable.secret_key_ref->name}, {"key", variable.secret_key_ref->key}}}}}});
  }
  Json take() && {
    Json list = Json::array();
    for (Json& one : list_) list.push_back(std::move(one));
    return list;
  }

 private:
  std::vector<Json> list_;
};

int first_port(const ObjectContext& context) {
  const auto& ports = context.frozen.spec.worker.role.ports;
  return ports.empty() ? 0 : ports.front().port;
}

std::string worker_addresses(const ObjectContext& context) {
  std::vector<std::string> out;
  for (const auto& address : context.addresses) {
    if (!address.empty()) out.push_back(address);
  }
  return join(out, ",");
}

}  // namespace

std::string endpoint(const std::string& address, int port) {
  if (port == 0) return address;
  const bool ipv6 = address.find(':') != std::string::npos;
  return (ipv6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::string worker_endpoints(const ObjectContext& context) {
  std::vector<std::string> out;
  for (const auto& address : context.addresses) {
    if (!address.empty()) out.push_back(endpoint(address, first_port(context)));
  }
  return join(out, ",");
}

std::string master_host(const ObjectContext& context) {
  const std::string run = run_name(context.id, context.key.name);
  return object_name(run, Part::Master) + "-0." + run + "." + context.key.ns + ".svc";
}

Json environment_of(const ObjectContext& context, core::Role role) {
  const auto& spec = context.frozen.spec;
  const bool worker = role == core::Role::Worker;
  const api::RoleSpec& own = worker ? spec.worker.role : *spec.master;
  Environment out;
  out.add("ATQ_LOADTEST", context.key.name);
  out.add("ATQ_RUN", std::to_string(context.id.number));
  out.add("ATQ_ROLE", std::string(core::to_string(role)));
  out.add("ATQ_WORKER_COUNT", std::to_string(spec.worker.replicas));
  out.add_field("ATQ_ADDRESS", "status.podIP");
  out.add("ATQ_DATA", kDataFolder);
  out.add("ATQ_OUT", kOutFolder);
  out.add("HOME", kOutFolder);
  if (!context.frozen.plan.empty()) {
    out.add("ATQ_PLAN", std::string(kDataFolder) + "/" + context.frozen.plan);
  }
  out.add_ports("ATQ_PORT_", own.ports);
  if (worker) {
    out.add_field("ATQ_WORKER_INDEX", "metadata.annotations['" + std::string(kIndexLabel) + "']");
    if (spec.master) {
      out.add("ATQ_MASTER_HOST", master_host(context));
      out.add_ports("ATQ_MASTER_PORT_", spec.master->ports);
    }
  } else {
    const std::string addresses = worker_addresses(context);
    out.add("WORKER_CSV_VIPS", addresses);
    out.add("REMOTES", addresses);
    out.add("ATQ_WORKER_ENDPOINTS", worker_endpoints(context));
  }
  for (const auto& variable : own.env) out.add_user(variable);
  return std::move(out).take();
}

std::map<std::string, std::string> check_environment(const ObjectContext& context, int worker) {
  const auto& spec = context.frozen.spec;
  std::map<std::string, std::string> out;
  out["ATQ_LOADTEST"] = context.key.name;
  out["ATQ_RUN"] = std::to_string(context.id.number);
  out["ATQ_ROLE"] = "check";
  out["ATQ_WORKER_COUNT"] = std::to_string(spec.worker.replicas);
  out["ATQ_WORKER_INDEX"] = std::to_string(worker);
  out["ATQ_WORKER_ADDRESS"] = context.addresses.at(static_cast<size_t>(worker));
  out["WORKER_CSV_VIPS"] = worker_addresses(context);
  out["ATQ_WORKER_ENDPOINTS"] = worker_endpoints(context);
  out["ATQ_DATA"] = kDataFolder;
  out["ATQ_OUT"] = kOutFolder;
  out["HOME"] = kOutFolder;
  out["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (spec.master) out["ATQ_MASTER_HOST"] = master_host(context);
  for (const auto& port : spec.worker.role.ports) {
    if (!port.name.empty()) out["ATQ_PORT_" + variable_part(port.name)] = std::to_string(port.port);
  }
  return out;
}

}  // namespace atq::kubernetes
