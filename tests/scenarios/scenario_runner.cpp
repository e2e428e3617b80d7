#include "tests/scenarios/scenario_runner.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "controller/api/codec.hpp"
#include "tests/scenarios/kstatus.hpp"

namespace atq::scenarios {
namespace {

struct Teller {
  std::string operator()(const core::Release& action) const {
    return number(action.run) + " " + std::string(core::to_string(action.role)) + " " +
           action.version;
  }
  std::string operator()(const core::Stop& action) const {
    std::string text = number(action.run) + " " + std::string(core::to_string(action.role));
    if (action.mode == core::StopMode::Now) return text + " Now";
    return text + " Graceful " +
           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(action.grace).count());
  }
  std::string operator()(const core::Finalize&) const { return ""; }
  std::string operator()(const auto& action) const { return number(action.run); }

  static std::string number(const core::RunId& run) { return " " + std::to_string(run.number); }
};

std::string in_words(const std::optional<Duration>& duration) {
  if (!duration) return "never";
  std::ostringstream text;
  text << static_cast<double>(duration->count()) / 1e6;
  return text.str();
}

std::string admission_of(const core::Plan& plan) {
  if (plan.holds_admission) return "held";
  return plan.wants_admission ? "wanted" : "none";
}

/// For tests of other programs that read statuses: ATQ_STATUSES names a folder for one file a step.
void dump(const api::LoadTest& test) {
  static int number = 0;
  const char* folder = std::getenv("ATQ_STATUSES");
  if (folder == nullptr) return;
  const auto name = test.metadata.name + "-" + std::to_string(++number) + ".json";
  std::ofstream(std::filesystem::path(folder) / name) << api::encode_json(test);
}

}  // namespace

std::string to_text(const core::Action& action) {
  return std::string(core::name_of(action)) + std::visit(Teller{}, action);
}

Runner::Runner(const std::filesystem::path& file) : story_(YAML::LoadFile(file.string())) {
  expect_keys(story_, {"about", "test", "steps"});
  if (!story_["about"] || !story_["steps"]) throw std::runtime_error("about and steps are needed");
  test_.metadata.name = file.stem().string();
  test_.metadata.uid = "uid-1";
  test_.metadata.generation = 1;
  api::FrozenSpec frozen;
  frozen.spec.worker.replicas = 2;
  frozen.spec.master.emplace();
  frozen.spec.run_nonce = "1";
  frozen.spec.run_policy.cleanup_policy = api::CleanupPolicy::Never;
  if (story_["test"]) read_test(story_["test"], frozen);
  test_.spec = frozen.spec;
  resolved_ = std::make_shared<const api::FrozenSpec>(std::move(frozen));
}

void Runner::edit(const YAML::Node& set) {
  api::FrozenSpec frozen = *resolved_;
  read_test(set, frozen);
  test_.spec = frozen.spec;
  ++test_.metadata.generation;
  resolved_ = std::make_shared<const api::FrozenSpec>(std::move(frozen));
}

void Runner::observe(const YAML::Node& observed) {
  for (const auto& entry : observed) {
    const auto number = entry.first.as<int64_t>();
    if (entry.second.IsScalar()) {
      observed_.erase(number);
      frozen_.erase(number);
      continue;
    }
    core::ObservedRun& run = observed_[number];
    run.number = number;
    read_run(entry.second, run, now_);
    frozen_.try_emplace(number, resolved_);
  }
}

void Runner::prepare(const YAML::Node& step) {
  expect_keys(step, {"at", "set", "problems", "annotate", "deleted", "admission", "failure",
                     "statusWriteIsLost", "observed", "expect"});
  const TimePoint at = kBegin + seconds_of(step["at"].as<double>());
  if (at < now_) throw std::runtime_error("time goes back");
  now_ = at;
  if (step["set"]) edit(step["set"]);
  if (step["problems"]) {
    problems_.clear();
    ++test_.metadata.generation;
    for (const auto& text : step["problems"]) problems_.push_back({"spec", text.as<std::string>()});
  }
  for (const auto& entry : step["annotate"]) {
    test_.metadata.annotations[entry.first.as<std::string>()] = entry.second.as<std::string>();
  }
  if (step["deleted"]) test_.metadata.deletion_timestamp = now_;
  if (const auto& ticket = step["admission"]) {
    admission_ = {.granted = ticket.IsScalar()};
    if (!admission_.granted) {
      admission_.position = ticket["position"].as<int>();
      admission_.running = ticket["running"].as<int>();
      admission_.limit = ticket["limit"].as<int>();
    }
  }
  if (const auto& failure = step["failure"]) {
    failure_ = failure.IsScalar() ? std::nullopt : std::optional(read_failure(failure));
  }
  if (step["observed"]) observe(step["observed"]);
}

core::World Runner::world() const {
  core::World world;
  world.test = std::make_shared<const api::LoadTest>(test_);
  world.problems = problems_;
  if (problems_.empty()) world.resolved = resolved_;
  int64_t newest = test_.status.run.number;
  for (const auto& [number, run] : observed_) {
    world.observed.push_back(run);
    newest = std::max(newest, number);
  }
  if (const auto found = frozen_.find(newest); found != frozen_.end()) world.run = found->second;
  world.failure = failure_;
  world.admission = admission_;
  world.capabilities.runtime_name = "process";
  return world;
}

std::vector<std::string> Runner::play() {
  int number = 0;
  for (const auto& step : story_["steps"]) {
    place_ = "step " + std::to_string(++number);
    prepare(step);
    place_ += " (at " + step["at"].as<std::string>() + ")";
    const core::Plan plan = core::reconcile(world(), now_);
    if (step["expect"]) compare(step["expect"], plan);
    compare_kstatus(plan);
    // What is begun is frozen as it is now, whatever the user edits later.
    for (const core::Action& action : plan.actions) {
      if (const auto* begin = std::get_if<core::BeginRun>(&action)) {
        frozen_.try_emplace(begin->run.number, begin->frozen);
      }
    }
    if (!step["statusWriteIsLost"]) test_.status = plan.status;
  }
  return failures_;
}

/// After every step of every story, whether the story speaks of it or not.
void Runner::compare_kstatus(const core::Plan& plan) {
  api::LoadTest written = test_;
  written.status = plan.status;
  dump(written);
  same("kstatus in phase " + std::string(api::to_string(plan.status.phase)),
       expected_kstatus(written, problems_.empty()), kstatus(written));
  // Between an edit and the next pass, the old status must not count.
  if (written.metadata.deletion_timestamp) return;
  ++written.metadata.generation;
  same("kstatus after an edit", "InProgress", kstatus(written));
}

void Runner::fail(const std::string& what) { failures_.push_back(place_ + ": " + what); }

void Runner::same(const std::string& what, const std::string& expected, const std::string& found) {
  if (expected != found) fail(what + ": expected \"" + expected + "\", found \"" + found + "\"");
}

void Runner::compare_list(const std::string& what, const YAML::Node& expect,
                          const std::vector<std::string>& found) {
  std::string expected;
  for (const auto& item : expect) expected += item.as<std::string>() + ", ";
  std::string text;
  for (const auto& item : found) text += item + ", ";
  same(what, expected, text);
}

void Runner::compare(const YAML::Node& expect, const core::Plan& plan) {
  expect_keys(expect, {"actions", "events", "wakesAfter", "status", "admission"});
  if (expect["actions"]) {
    std::vector<std::string> actions;
    for (const auto& action : plan.actions) actions.push_back(to_text(action));
    compare_list("actions", expect["actions"], actions);
  }
  if (expect["events"]) {
    std::vector<std::string> events;
    for (const auto& event : plan.events) {
      events.push_back((event.warning ? "Warning " : "Normal ") + event.reason);
    }
    compare_list("events", expect["events"], events);
  }
  if (expect["wakesAfter"]) {
    same("wakesAfter", expect["wakesAfter"].as<std::string>(), in_words(plan.requeue_after));
  }
  if (expect["admission"]) {
    same("admission", expect["admission"].as<std::string>(), admission_of(plan));
  }
  if (expect["status"]) compare_status(expect["status"], plan.status);
}

void Runner::compare_numbers(const std::string& key, const YAML::Node& node,
                             const api::LoadTestStatus& status) {
  const std::map<std::string, int64_t> numbers = {
      {"run", status.run.number},
      {"desired", status.workers.desired},
      {"discovered", status.workers.discovered},
      {"ready", status.workers.ready},
      {"lost", status.workers.lost},
      {"requests", status.summary ? status.summary->requests : -1}};
  const auto found = numbers.find(key);
  if (found == numbers.end()) throw std::runtime_error("unknown field of the status: " + key);
  same(key, node.as<std::string>(), std::to_string(found->second));
}

void Runner::compare_status(const YAML::Node& expect, const api::LoadTestStatus& status) {
  for (const auto& entry : expect) {
    const auto key = entry.first.as<std::string>();
    const YAML::Node& node = entry.second;
    if (key == "phase") {
      same(key, node.as<std::string>(), std::string(api::to_string(status.phase)));
    } else if (key == "verdict") {
      same(key, node.as<std::string>(), std::string(api::to_string(status.verdict)));
    } else if (key == "reason") {
      same(key, node.as<std::string>(), status.reason);
    } else if (key == "message") {
      const auto part = node.as<std::string>();
      if (status.message.find(part) == std::string::npos ||
          (part.empty() && !status.message.empty())) {
        same(key, part, status.message);
      }
    } else if (key == "thresholds") {
      std::vector<std::string> found;
      for (const auto& threshold : status.thresholds) {
        found.emplace_back(api::to_string(threshold.verdict));
      }
      compare_list(key, node, found);
    } else if (key == "history") {
      std::vector<std::string> found;
      for (const auto& run : status.history) {
        found.push_back(std::to_string(run.number) + " " +
                        std::string(api::to_string(run.verdict)));
      }
      compare_list(key, node, found);
    } else if (key == "conditions") {
      for (const auto& condition : node) {
        const auto name = condition.first.as<std::string>();
        std::string found = "none of that name";
        for (const auto& known : status.conditions) {
          if (api::to_string(known.type) == name) {
            found = std::string(api::to_string(known.status)) + " " + known.reason;
          }
        }
        same(name, condition.second.as<std::string>(), found);
      }
    } else {
      compare_numbers(key, node, status);
    }
  }
}

}  // namespace atq::scenarios
