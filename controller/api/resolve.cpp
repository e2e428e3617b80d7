#include <algorithm>
#include <set>

#include "controller/api/profile.hpp"
#include "src/base/text.hpp"

namespace atq::api {
namespace {

std::string base_name(std::string_view path) {
  const size_t slash = path.find_last_of('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

bool is_variable_name(std::string_view name) {
  const auto fits = [](char sign) {
    return sign == '_' || (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z') ||
           (sign >= '0' && sign <= '9');
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::ranges::all_of(name, fits);
}

std::string fill_in(std::string_view text, std::string_view name, std::string_view value) {
  std::string out;
  while (!text.empty()) {
    const size_t at = text.find('{');
    out += text.substr(0, at);
    if (at == std::string_view::npos) break;
    text.remove_prefix(at);
    if (text.starts_with("{name}")) {
      out += name;
      text.remove_prefix(6);
    } else if (text.starts_with("{value}")) {
      out += value;
      text.remove_prefix(7);
    } else {
      out += '{';
      text.remove_prefix(1);
    }
  }
  return out;
}

/// What a spec's files are called, as far as the spec itself says.
struct FileNames {
  std::set<std::string> names;
  bool others = false;  ///< a ConfigMap, Secret or upload may hold any file

  void add(const std::vector<FileSource>& files) {
    for (const FileSource& file : files) {
      for (const auto& [name, content] : file.inline_files) names.insert(name);
      if (!file.path.empty()) names.insert(base_name(file.path));
      others = others || !file.config_map.empty() || !file.secret.empty() || !file.databind.empty();
    }
  }
};

class Resolver {
 public:
  Resolver(const LoadTestSpec& spec, const Profile& profile) : profile_(profile) {
    resolved_.frozen.spec = spec;
  }

  Resolved run() && {
    FrozenSpec& frozen = resolved_.frozen;
    const bool worker_known = frozen.spec.worker.role.command.empty();
    const bool master_known = !frozen.spec.master || frozen.spec.master->command.empty();
    choose_plan(worker_known || master_known);
    check_parameters();
    lay_worker();
    lay_master();
    if (frozen.spec.health_check.checks.empty()) frozen.spec.health_check.checks = profile_.checks;
    frozen.spec.process.network_namespace |= profile_.network_namespace;
    frozen.closing = profile_.closing;
    frozen.workers_exit_alone = profile_.workers_exit_alone;
    frozen.master_ends_within_seconds = profile_.master_ends_within_seconds;
    frozen.allocate_ports = profile_.allocate_ports;
    return std::move(resolved_);
  }

 private:
  void add(std::string path, std::string message) {
    resolved_.problems.push_back({std::move(path), std::move(message), "semantic"});
  }

  void lay_worker() {
    WorkerSpec& worker = resolved_.frozen.spec.worker;
    lay(worker.role, profile_.worker, profile_.parameters.worker_args);
    if (!worker.readiness) worker.readiness = profile_.worker.readiness;
    require_command(worker.role, "spec.worker.command");
    resolved_.frozen.worker_stop = profile_.worker.stop;
    resolved_.frozen.worker_diagnoses = profile_.worker.diagnoses;
  }

  void lay_master() {
    auto& master = resolved_.frozen.spec.master;
    if (!master && profile_.master) master.emplace();
    if (!master) return;
    static const RoleProfile kNothing;
    const RoleProfile& profile = profile_.master ? *profile_.master : kNothing;
    lay(*master, profile, profile_.parameters.master_args);
    require_command(*master, "spec.master.command");
    resolved_.frozen.master_stop = profile.stop;
    resolved_.frozen.master_diagnoses = profile.diagnoses;
  }

  void require_command(const RoleSpec& role, std::string path) {
    if (!role.command.empty()) return;
    add(std::move(path), "found none, expected a command: tool " + profile_.tool +
                             " does not say what to run in this role");
  }

  /// A command of the user's stands alone: what the profile would have passed to its own command
  /// means nothing to it.
  void lay(RoleSpec& role, const RoleProfile& profile, const std::vector<std::string>& templates) {
    if (role.image.empty()) role.image = profile.role.image;
    if (role.command.empty() && !profile.role.command.empty()) {
      role.command = profile.role.command;
      std::vector<std::string> args = profile.role.args;
      for (const auto& [name, value] : resolved_.frozen.spec.parameters) {
        for (const std::string& text : templates) args.push_back(fill_in(text, name, value));
      }
      args.insert(args.end(), role.args.begin(), role.args.end());
      role.args = std::move(args);
    }
    lay_environment(role, profile);
    if (role.working_dir.empty()) role.working_dir = profile.role.working_dir;
    lay_ports(role, profile);
    if (role.resources.requests.empty()) role.resources.requests = profile.role.resources.requests;
    if (role.resources.limits.empty()) role.resources.limits = profile.role.resources.limits;
    role.tty = role.tty || profile.role.tty;
    role.files.insert(role.files.begin(), profile.role.files.begin(), profile.role.files.end());
  }

  /// The profile's, then the parameters, then the user's; of one name the last.
  void lay_environment(RoleSpec& role, const RoleProfile& profile) {
    std::vector<EnvVar> all = profile.role.env;
    const auto set = [&all](EnvVar variable) {
      std::erase_if(all, [&](const EnvVar& known) { return known.name == variable.name; });
      all.push_back(std::move(variable));
    };
    for (const auto& [name, value] : resolved_.frozen.spec.parameters) {
      const auto known = profile_.parameters.environment.find(name);
      if (known != profile_.parameters.environment.end()) set({known->second, value, {}});
      if (profile_.parameters.environment_all && is_variable_name(name)) set({name, value, {}});
    }
    for (EnvVar& variable : role.env) set(std::move(variable));
    role.env = std::move(all);
  }

  /// The profile's ports come first, as its commands name them; one of the same name replaces it.
  static void lay_ports(RoleSpec& role, const RoleProfile& profile) {
    std::vector<Port> all = profile.role.ports;
    for (Port& port : role.ports) {
      const auto same = std::ranges::find_if(
          all, [&](const Port& known) { return !port.name.empty() && known.name == port.name; });
      if (same != all.end()) {
        *same = std::move(port);
      } else {
        all.push_back(std::move(port));
      }
    }
    role.ports = std::move(all);
  }

  void check_parameters() {
    if (!profile_.parameters.environment_all) return;
    for (const auto& [name, value] : resolved_.frozen.spec.parameters) {
      if (is_reserved_variable(name)) {
        add("spec.parameters." + name,
            "found the name of a variable that the director sets, expected another name");
      }
    }
  }

  void choose_plan(bool needed) {
    if (profile_.plan_name.empty() && profile_.plan_suffix.empty()) return;
    const LoadTestSpec& spec = resolved_.frozen.spec;
    FileNames files;
    files.add(spec.files);
    files.add(spec.worker.role.files);
    if (spec.master) files.add(spec.master->files);
    std::string& plan = resolved_.frozen.plan;
    std::vector<std::string> candidates;
    for (const std::string& name : files.names) {
      if (name == profile_.plan_name) {
        plan = name;
        return;
      }
      if (!profile_.plan_suffix.empty() && name.ends_with(profile_.plan_suffix)) {
        candidates.push_back(name);
      }
    }
    if (candidates.size() == 1) {
      plan = candidates.front();
    } else if (candidates.empty() && files.others) {
      plan = profile_.plan_name;
    } else if (needed) {
      report_plan(candidates);
    }
  }

  void report_plan(const std::vector<std::string>& candidates) {
    std::string expected = profile_.plan_name;
    if (!profile_.plan_suffix.empty()) {
      expected += (expected.empty() ? "" : " or ") + ("exactly one *" + profile_.plan_suffix);
    }
    add("spec.files", candidates.empty()
                          ? "found no test plan, expected " + expected
                          : "found several files that may be the test plan (" +
                                truncate(join(candidates, ", "), 200) + "), expected " + expected);
  }

  const Profile& profile_;
  Resolved resolved_;
};

}  // namespace

Resolved resolve(const LoadTestSpec& spec, const std::map<std::string, Profile>& profiles) {
  const auto profile = profiles.find(spec.tool);
  if (profile != profiles.end()) return Resolver(spec, profile->second).run();
  std::vector<std::string_view> names;
  for (const auto& [name, known] : profiles) names.push_back(name);
  const std::string_view near = nearest(spec.tool, names);
  Resolved resolved;
  resolved.frozen.spec = spec;
  resolved.problems.push_back(
      {"spec.tool",
       "found \"" + to_printable(truncate(spec.tool, 60)) + "\", expected one of " +
           join({names.begin(), names.end()}, ", ") +
           (near.empty() ? std::string() : "; did you mean " + std::string(near) + "?"),
       "semantic"});
  return resolved;
}

}  // namespace atq::api
