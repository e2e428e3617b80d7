// The predicates of the CRD's CEL rules, one function for each place that has rules.

#include "controller/api/validation.hpp"

#include <re2/re2.h>

#include "controller/api/profile.hpp"
#include "src/base/text.hpp"

namespace atq::api {
namespace {

std::string item_path(const std::string& list, size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

std::string listed(const std::vector<std::string>& words) {
  return words.empty() ? "none" : join(words, " and ");
}

std::string shown(const std::string& text) { return truncate(to_printable(text), 60); }

class Rules {
 public:
  std::vector<Problem> check(const LoadTestSpec& spec) {
    check_parameters(spec);
    check_deadlines(spec);
    check_files("spec.files", spec.files);
    check_role("spec.worker", spec.worker.role);
    check_worker(spec.worker);
    if (spec.master) check_role("spec.master", *spec.master);
    return std::move(problems_);
  }

 private:
  void add(std::string path, std::string message, std::string rule) {
    problems_.push_back({std::move(path), std::move(message), std::move(rule)});
  }

  void check_parameters(const LoadTestSpec& spec) {
    static const RE2 kName("[A-Za-z_][A-Za-z0-9_.-]{0,127}");
    for (const auto& [name, value] : spec.parameters) {
      if (RE2::FullMatch(name, kName)) continue;
      add("spec.parameters." + shown(name),
          "found the name \"" + shown(name) +
              "\", expected a letter or _, then at most 127 letters, digits, _, . and -",
          "parameter-name");
    }
  }

  void check_deadlines(const LoadTestSpec& spec) {
    const auto& policy = spec.run_policy;
    const int64_t left_out = int64_t{spec.load.warm_up_seconds} + spec.load.ramp_down_seconds;
    if (left_out >= policy.active_deadline_seconds) {
      add("spec.load",
          "found " + std::to_string(left_out) + " s of warm-up and ramp-down, expected less than " +
              "runPolicy.activeDeadlineSeconds (" + std::to_string(policy.active_deadline_seconds) +
              ")",
          "load-within-deadline");
    }
    if (spec.health_check.delay_seconds >= policy.startup_deadline_seconds) {
      add("spec.healthCheck.delaySeconds",
          "found " + std::to_string(spec.health_check.delay_seconds) + ", expected less than " +
              "runPolicy.startupDeadlineSeconds (" +
              std::to_string(policy.startup_deadline_seconds) + ")",
          "delay-within-deadline");
    }
    if (policy.cleanup_policy == CleanupPolicy::Never && policy.cleanup_after_seconds != 0) {
      add("spec.runPolicy.cleanup.afterSeconds",
          "found " + std::to_string(policy.cleanup_after_seconds) +
              " with policy Never, expected 0; set policy to Always or OnSuccess, or leave " +
              "afterSeconds out",
          "cleanup-never-after");
    }
  }

  void check_files(const std::string& path, const std::vector<FileSource>& files) {
    for (size_t i = 0; i < files.size(); ++i) {
      const auto at = item_path(path, i);
      const auto& file = files[i];
      std::vector<std::string> sources;
      if (!file.inline_files.empty()) sources.emplace_back("inline");
      if (!file.config_map.empty()) sources.emplace_back("configMap");
      if (!file.secret.empty()) sources.emplace_back("secret");
      if (!file.databind.empty()) sources.emplace_back("databind");
      if (!file.path.empty()) sources.emplace_back("path");
      if (sources.size() != 1) {
        add(at,
            "found " + listed(sources) +
                ", expected exactly one of inline, configMap, secret, databind and path",
            "files-one-source");
      }
      check_names(at + ".inline", file);
      check_path(at + ".path", file.path);
    }
  }

  void check_names(const std::string& at, const FileSource& file) {
    static const RE2 kName("[A-Za-z0-9._-]{1,253}");
    for (const auto& [name, content] : file.inline_files) {
      if (RE2::FullMatch(name, kName) && name != "." && name != "..") continue;
      add(at + "." + shown(name),
          "found the file name \"" + shown(name) +
              "\", expected at most 253 letters, digits, ., _ and -",
          "file-name");
    }
  }

  void check_path(const std::string& at, const std::string& path) {
    bool inside = !path.starts_with('/');
    for (const auto& part : split(path, '/')) inside = inside && part != "..";
    if (inside) return;
    add(at,
        "found \"" + shown(path) +
            "\", expected a path relative to the YAML file that stays in its folder: no leading " +
            "/ and no .. in it",
        "file-path-relative");
  }

  void check_role(const std::string& path, const RoleSpec& role) {
    for (size_t i = 0; i < role.env.size(); ++i) {
      const auto at = item_path(path + ".env", i);
      const auto& variable = role.env[i];
      if (is_reserved_variable(variable.name)) {
        add(at + ".name",
            "found \"" + shown(variable.name) +
                "\", expected another name: ATQ_* and WORKER_CSV_VIPS are set by the director",
            "env-reserved");
      }
      if (variable.secret_key_ref && !variable.value.empty()) {
        add(at, "found value and valueFrom, expected one of them", "env-value-or-from");
      }
    }
    check_files(path + ".files", role.files);
  }

  void check_worker(const WorkerSpec& worker) {
    for (size_t i = 0; i < worker.role.ports.size(); ++i) {
      if (worker.role.ports[i].published == 0) continue;
      add(item_path("spec.worker.ports", i) + ".publishedPort",
          "found " + std::to_string(worker.role.ports[i].published) +
              ", expected none, as several workers would need the same one; publish a port of " +
              "the master",
          "worker-ports-unpublished");
    }
    if (!worker.readiness) return;
    std::vector<std::string> kinds;
    if (worker.readiness->tcp_port != 0) kinds.emplace_back("tcpPort");
    if (worker.readiness->http_get) kinds.emplace_back("httpGet");
    if (!worker.readiness->log.empty()) kinds.emplace_back("log");
    if (worker.readiness->running) kinds.emplace_back("running");
    if (kinds.size() <= 1) return;
    add("spec.worker.readiness",
        "found " + listed(kinds) + ", expected at most one of tcpPort, httpGet, log and running",
        "readiness-at-most-one");
  }

  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check_rules(const LoadTest& test) { return Rules().check(test.spec); }

std::vector<std::string> rule_ids() {
  // check-one-kind is decided by check_schema: the typed object holds exactly one kind.
  return {"check-one-kind",     "cleanup-never-after",   "delay-within-deadline",
          "env-reserved",       "env-value-or-from",     "file-name",
          "file-path-relative", "files-one-source",      "load-within-deadline",
          "parameter-name",     "readiness-at-most-one", "worker-ports-unpublished"};
}

}  // namespace atq::api
