// What a schema cannot say of a LoadTest: expressions parse, patterns compile, numbers fit
// together, and the tool profile finds what it needs.

#include <map>
#include <set>

#include <re2/re2.h>

#include "controller/api/profile.hpp"
#include "controller/api/quantity.hpp"
#include "controller/api/validation.hpp"
#include "src/base/text.hpp"
#include "src/results/threshold.hpp"

namespace atq::api {
namespace {

using results::Span;
using results::Threshold;

constexpr int64_t kMaxPatternMemory = 1 << 20;

std::string item_path(const std::string& list, size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

/// What RE2 says of a pattern; empty where it compiles.
std::string pattern_error(const std::string& pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemory);
  const RE2 compiled(pattern, options);
  return compiled.ok() ? std::string() : compiled.error();
}

class Semantics {
 public:
  std::vector<Problem> check(const LoadTestSpec& spec) {
    check_thresholds(spec);
    check_patterns(spec);
    check_resources("spec.worker.resources", spec.worker.role.resources);
    if (spec.master) check_resources("spec.master.resources", spec.master->resources);
    check_file_names(spec);
    check_timeouts(spec);
    check_subnet(spec);
    for (auto& problem : resolve(spec).problems) problems_.push_back(std::move(problem));
    return std::move(problems_);
  }

 private:
  void add(std::string path, std::string message) {
    problems_.push_back({std::move(path), std::move(message), "semantic"});
  }

  void check_thresholds(const LoadTestSpec& spec) {
    std::map<std::string, size_t> seen;
    for (size_t i = 0; i < spec.thresholds.size(); ++i) {
      const auto at = item_path("spec.thresholds", i);
      const auto threshold = results::parse_threshold(spec.thresholds[i]);
      if (!threshold) {
        add(at, results::to_string(threshold.error()));
        continue;
      }
      const auto [first, is_new] = seen.emplace(results::to_string(*threshold), i);
      if (!is_new) {
        add(at, "found the same threshold as in item [" + std::to_string(first->second) +
                    "], expected each once");
      }
      check_threshold_times(at, *threshold, spec.run_policy.active_deadline_seconds);
      for (const auto& matcher : threshold->matchers) check_matcher(at, matcher);
    }
  }

  /// A clause about a time that no run reaches would make the threshold NoData for ever.
  void check_threshold_times(const std::string& at, const Threshold& threshold,
                             int32_t deadline_seconds) {
    const Duration deadline = std::chrono::seconds(deadline_seconds);
    const auto check = [&](std::string_view clause, const std::optional<Span>& span) {
      if (!span || results::to_duration(*span) < deadline) return;
      add(at, "found " + std::string(clause) + " " + results::to_string(*span) +
                  ", expected less than runPolicy.activeDeadlineSeconds (" +
                  std::to_string(deadline_seconds) + ")");
    };
    check("over every", threshold.every);
    check("for", threshold.for_time);
    check("after", threshold.after);
  }

  void check_matcher(const std::string& at, const results::Matcher& matcher) {
    if (matcher.op == results::MatchOp::Equal || matcher.op == results::MatchOp::NotEqual) return;
    check_pattern(at, matcher.value);
  }

  void check_pattern(const std::string& at, const std::string& pattern) {
    if (pattern.empty()) return;
    const auto error = pattern_error(pattern);
    if (error.empty()) return;
    add(at, "found \"" + truncate(to_printable(pattern), 60) +
                "\", expected a regular expression as RE2 takes it: " + to_printable(error));
  }

  void check_patterns(const LoadTestSpec& spec) {
    if (spec.worker.readiness) {
      check_pattern("spec.worker.readiness.log", spec.worker.readiness->log);
    }
    for (size_t i = 0; i < spec.health_check.checks.size(); ++i) {
      const auto at = item_path("spec.healthCheck.checks", i);
      const auto& check = spec.health_check.checks[i].check;
      if (const auto* udp = std::get_if<UdpCheck>(&check)) {
        check_pattern(at + ".udp.expect", udp->expect);
      } else if (const auto* http = std::get_if<HttpCheck>(&check)) {
        check_pattern(at + ".http.expect.body", http->body);
      } else if (const auto* exec = std::get_if<ExecCheck>(&check)) {
        check_pattern(at + ".exec.expect.output", exec->output);
      }
    }
  }

  void check_resources(const std::string& at, const Resources& resources) {
    for (const auto& [name, request] : resources.requests) {
      const auto limit = resources.limits.find(name);
      if (limit == resources.limits.end()) continue;
      const auto wanted = parse_quantity(request);
      const auto most = parse_quantity(limit->second);
      if (!wanted || !most || *wanted <= *most) continue;
      add(at + ".requests." + name,
          "found " + request + ", expected at most limits." + name + " (" + limit->second + ")");
    }
  }

  /// Files of both roles and of one role land in one folder.
  void check_file_names(const LoadTestSpec& spec) {
    std::map<std::string, std::string> common;
    add_names("spec.files", spec.files, common);
    auto worker = common;
    add_names("spec.worker.files", spec.worker.role.files, worker);
    if (spec.master) add_names("spec.master.files", spec.master->files, common);
  }

  void add_names(const std::string& path, const std::vector<FileSource>& files,
                 std::map<std::string, std::string>& places) {
    for (size_t i = 0; i < files.size(); ++i) {
      for (const auto& [name, content] : files[i].inline_files) {
        const auto shown = truncate(to_printable(name), 60);
        const auto at = item_path(path, i) + ".inline." + shown;
        const auto [first, is_new] = places.emplace(name, at);
        if (is_new) continue;
        add(at, "found the file name " + shown + " again, expected each once in a role; it is " +
                    "also in " + first->second);
      }
    }
  }

  void check_timeouts(const LoadTestSpec& spec) {
    const int32_t deadline = spec.run_policy.startup_deadline_seconds;
    for (size_t i = 0; i < spec.health_check.checks.size(); ++i) {
      const int32_t timeout = spec.health_check.checks[i].timeout_seconds;
      if (timeout < deadline) continue;
      add(item_path("spec.healthCheck.checks", i) + ".timeoutSeconds",
          "found " + std::to_string(timeout) +
              ", expected less than runPolicy.startupDeadlineSeconds (" + std::to_string(deadline) +
              ")");
    }
  }

  /// Room for every worker, the master, the checks, the network's gateway and its balancer.
  void check_subnet(const LoadTestSpec& spec) {
    const auto& subnet = spec.swarm.subnet;
    const auto slash = subnet.find('/');
    int prefix = 0;
    if (slash == std::string::npos ||
        !RE2::FullMatch(subnet.substr(slash + 1), "(\\d+)", &prefix)) {
      return;
    }
    if (prefix < 0 || prefix > 30) return;
    static constexpr int64_t kOthers = 4;
    const int64_t room = (int64_t{1} << (32 - prefix)) - 2;
    const int64_t needed = spec.worker.replicas + kOthers;
    if (room >= needed) return;
    add("spec.swarm.subnet", "found " + subnet + " with room for " + std::to_string(room) +
                                 " addresses, expected at least " + std::to_string(needed) +
                                 " for " + std::to_string(spec.worker.replicas) + " workers");
  }

  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check_semantics(const LoadTest& test) { return Semantics().check(test.spec); }

}  // namespace atq::api
