#include "tests/fakes/model/simulation.hpp"

#include <algorithm>

#include "controller/api/codec.hpp"
#include "src/base/time.hpp"

namespace atq::fakes {

using namespace std::chrono_literals;
using core::Plan;

namespace {

constexpr TimePoint kBegin = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21};
constexpr int kMaxPassesToRest = 600;

bool is_cleanup(const core::Action& action) {
  return std::holds_alternative<core::Stop>(action) ||
         std::holds_alternative<core::RemoveRun>(action) ||
         std::holds_alternative<core::Finalize>(action);
}

}  // namespace

Simulation::Simulation(uint64_t seed) : random_(seed), now_(kBegin) {
  draw_habits();
  runtime_.emplace(habits_, Random(seed ^ 0x5555555555555555ULL));
  draw_spec();
}

void Simulation::draw_habits() {
  benign_ = random_.percent(15);
  if (benign_) return;
  habits_.network_never = 2;
  habits_.worker_never_starts = 2;
  habits_.worker_never_ready = 3;
  habits_.worker_dies_early = random_.percent(40) ? 25 : 0;
  habits_.check_never_passes = 3;
  habits_.master_never_ends = 8;
  habits_.master_fails = 15;
  habits_.no_statement = 15;
  habits_.ignores_graceful = 30;
  habits_.unkillable = random_.percent(5) ? 30 : 0;
}

void Simulation::draw_spec() {
  auto test = std::make_shared<api::LoadTest>();
  test->metadata.name = "random";
  test->metadata.uid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
  test->metadata.generation = 1;
  api::LoadTestSpec& spec = test->spec;
  spec.worker.replicas = 1 + random_.below(4);
  spec.worker.on_failure = random_.percent(50) ? api::OnFailure::Fail : api::OnFailure::Ignore;
  if (random_.percent(70)) spec.master.emplace();
  for (int i = random_.below(3); i > 0; --i) {
    api::HealthCheckItem check;
    check.name = "check-" + std::to_string(i);
    check.check = api::TcpCheck{1099};
    spec.health_check.checks.push_back(std::move(check));
  }
  spec.health_check.delay_seconds = random_.below(3);
  spec.run_nonce = "0";
  if (random_.percent(15)) spec.thresholds.push_back("count(failures) == 0");
  api::RunPolicy& policy = spec.run_policy;
  policy.startup_deadline_seconds = 10 + random_.below(20);
  policy.active_deadline_seconds = 15 + random_.below(20);
  policy.collect_deadline_seconds = 5 + random_.below(10);
  policy.stop_grace_seconds = random_.below(6);
  policy.cleanup_policy = static_cast<api::CleanupPolicy>(random_.below(3));
  policy.cleanup_after_seconds = random_.percent(50) ? 0 : random_.below(10);
  if (benign_) {
    policy.startup_deadline_seconds = policy.active_deadline_seconds = 600;
    policy.collect_deadline_seconds = 120;
  }
  object_ = std::move(test);
  resolved_ = resolve();
}

std::shared_ptr<const api::FrozenSpec> Simulation::resolve() const {
  auto frozen = std::make_shared<api::FrozenSpec>();
  frozen->spec = object_->spec;
  // Drawn from what never changes, so that an edit does not change the tool.
  frozen->workers_exit_alone = object_->spec.worker.replicas % 2 == 0;
  frozen->master_ends_within_seconds = 5;
  if (object_->spec.health_check.delay_seconds > 0) frozen->closing.pattern = "(?P<requests>.*)";
  return frozen;
}

// ---- one pass of the director ----------------------------------------------------------------

core::World Simulation::gather(bool fresh) {
  if (fresh) seen_ = runtime_->observe();
  core::World world;
  world.test = object_;
  world.problems = problems_;
  world.resolved = problems_.empty() ? resolved_ : nullptr;
  world.observed = seen_;
  int64_t number = object_->status.run.number;
  for (const auto& run : seen_) number = std::max(number, run.number);
  world.run = runtime_->frozen(number);
  world.failure = failure_;
  world.admission.granted = granted_;
  if (!granted_) world.admission = {.granted = false, .position = 2, .running = 4, .limit = 4};
  world.capabilities.runtime_name = "model";
  return world;
}

Plan Simulation::pass(bool lossy) {
  ++stats_.passes;
  runtime_->advance(now_);
  const bool fresh = !lossy || object_->metadata.deletion_timestamp || random_.percent(85);
  const core::World world = gather(fresh);
  Plan plan = core::reconcile(world, now_);
  check(world, plan);
  if (keeps_story_) {
    std::string line = "+" + to_human(now_ - kBegin) + (fresh ? " " : " (seen late) ") +
                       std::string(api::to_string(plan.status.phase)) + " " +
                       std::to_string(plan.status.run.number) + " " + plan.status.reason + ": " +
                       plan.status.message + " [";
    for (const auto& action : plan.actions) line += std::string(core::name_of(action)) + " ";
    tell(line + "]");
  }
  if (lossy && random_.percent(10)) old_plan_ = plan;
  if (execute(plan, lossy)) write_status(plan, lossy);
  return plan;
}

void Simulation::check(const core::World& world, const Plan& plan) {
  if (stats_.passes % 4 == 0 && core::reconcile(world, now_) != plan) {
    violate("the same world gave another plan");
  }
  const api::LoadTestStatus& status = plan.status;
  const bool active = status.run.number > 0 && !status.run.finished_at;
  if (world.test->metadata.deletion_timestamp) {
    if (!std::all_of(plan.actions.begin(), plan.actions.end(), is_cleanup)) {
      violate("an action that is no cleanup after the deletion");
    }
  } else if (active && !plan.requeue_after) {
    violate("waits for ever: an active run without a deadline");
  }
  if (plan.holds_admission != active) violate("admission is held without a run, or not with one");
  if (plan.wants_admission && active) violate("wants admission while a run is active");
  if (status.conditions.size() != api::kConditionCount) violate("not all conditions are set");
  if (status.run.collecting_at && status.verdict == api::Verdict::None) {
    violate("Collecting without a verdict");
  }
  if (stats_.passes % 16 == 0 && api::encode_status(status).size() > api::kMaxStatusBytes) {
    violate("the status is too large");
  }
  check_history(status);
  check_need(world, plan);
}

namespace {

bool any_in(const core::ObservedRun& run, core::Role role,
            std::initializer_list<core::ReplicaState> states) {
  const auto is_one = [&](const core::Replica& replica) {
    return std::find(states.begin(), states.end(), replica.state) != states.end();
  };
  if (role == core::Role::Master) return run.master && is_one(*run.master);
  return std::any_of(run.workers.begin(), run.workers.end(), is_one);
}

/// Whether an action has anything left to do for this run.
struct Need {
  const core::ObservedRun& run;
  const api::LoadTest& test;
  size_t replicas;

  bool operator()(const core::BeginRun&) const { return !run.network_ready; }
  bool operator()(const core::EnsureWorkers&) const { return run.workers.size() < replicas; }
  bool operator()(const core::EnsureChecks&) const { return !run.checks_exist; }
  bool operator()(const core::EnsureMaster&) const { return !run.master; }
  bool operator()(const core::Release& action) const {
    return any_in(run, action.role, {core::ReplicaState::Inert});
  }
  bool operator()(const core::StopChecks&) const { return run.checks_exist; }
  bool operator()(const core::Stop& action) const {
    return any_in(
        run, action.role,
        {core::ReplicaState::Inert, core::ReplicaState::Starting, core::ReplicaState::Running});
  }
  bool operator()(const core::Collect&) const { return !run.results_collected; }
  bool operator()(const core::RemoveRun& action) const {
    return test.metadata.deletion_timestamp || action.run.number < test.status.run.number ||
           (action.run.number == test.status.run.number && test.status.run.finished_at);
  }
  bool operator()(const core::Finalize&) const { return false; }
};

}  // namespace

/// The plan of a reached goal is empty: no action without something left for it to do.
void Simulation::check_need(const core::World& world, const Plan& plan) {
  for (const core::Action& action : plan.actions) {
    const auto number = std::visit(
        [](const auto& some) -> int64_t {
          if constexpr (requires { some.run; }) return some.run.number;
          return 0;
        },
        action);
    for (const core::ObservedRun& run : world.observed) {
      if (run.number != number) continue;
      const auto replicas = static_cast<size_t>(world.test->spec.worker.replicas);
      if (!std::visit(Need{run, *world.test, replicas}, action)) {
        violate(std::string(core::name_of(action)) + " without need");
      }
    }
  }
}

/// Against the stored status: numbers never go back, latched stays latched, finished stays so.
void Simulation::check_history(const api::LoadTestStatus& next) {
  const api::LoadTestStatus& last = object_->status;
  if (next.run.number < last.run.number) violate("the run's number went back");
  if (next.run.number > last.run.number && last.run.number > 0 && !last.run.finished_at) {
    violate("a run began before the last one had finished");
  }
  if (next.run.number != last.run.number) return;
  if (last.run.collecting_at &&
      (next.verdict != last.verdict || next.reason != last.reason || next.message != last.message ||
       next.run.collecting_at != last.run.collecting_at)) {
    violate("a latched verdict changed from " + std::string(api::to_string(last.verdict)) + " " +
            last.reason + " to " + std::string(api::to_string(next.verdict)) + " " + next.reason);
  }
  if (next.workers.lost < last.workers.lost) violate("a lost worker came back");
  if (last.run.collecting_at && !(next.workers == last.workers)) {
    violate("the workers' numbers moved after the verdict");
  }
  if (last.run.finished_at && next.run.finished_at != last.run.finished_at) {
    violate("a finished run changed");
  }
}

bool Simulation::act(const core::Action& action, bool lossy) {
  const std::string name(core::name_of(action));
  const auto fail_with = [&](ErrorKind kind, std::string message) {
    const int attempts = failure_ ? failure_->attempts + 1 : 1;
    failure_ = core::ActionFailure{.action = name,
                                   .run = std::max(object_->status.run.number, int64_t{1}),
                                   .error = {kind, std::move(message), std::nullopt},
                                   .attempts = attempts};
    tell("  " + name + " failed: " + failure_->error.message);
    return false;
  };
  const int fault = lossy ? random_.below(100) : 100;
  if (fault < 6) return fail_with(ErrorKind::Unavailable, "connection refused");
  if (fault == 6 && !std::holds_alternative<core::Finalize>(action)) {
    return fail_with(ErrorKind::Invalid, "the platform refuses it");
  }
  const auto done = runtime_->apply(action, now_);
  if (fault < 14 && fault > 6) (void)runtime_->apply(action, now_);
  if (fault >= 14 && fault < 20) return fail_with(ErrorKind::Timeout, "no answer in time");
  if (!done) return fail_with(done.error().kind, done.error().message);
  if (std::holds_alternative<core::Finalize>(action)) gone_ = true;
  return true;
}

bool Simulation::execute(const Plan& plan, bool lossy) {
  const int dies_after =
      lossy && random_.percent(12) ? random_.below(static_cast<int>(plan.actions.size()) + 1) : -1;
  int done = 0;
  bool failed = false;
  for (const core::Action& action : plan.actions) {
    if (done == dies_after) break;
    if (!act(action, lossy)) {
      failed = true;
      break;
    }
    ++done;
  }
  if (dies_after >= 0) {
    die();
    return false;
  }
  if (!failed && !plan.actions.empty()) failure_.reset();
  return true;
}

void Simulation::write_status(const Plan& plan, bool lossy) {
  if (gone_ || plan.status == object_->status) return;
  if (lossy && random_.percent(6)) return tell("  the status write is lost");
  auto next = std::make_shared<api::LoadTest>(*object_);
  next->status = plan.status;
  object_ = std::move(next);
  wrote_ = true;
}

/// kill -9: what was in memory is lost; the next director looks at everything anew.
void Simulation::die() {
  tell("  the director dies");
  failure_.reset();
  runtime_->take_over();
  seen_ = runtime_->observe();
}

// ---- everybody else --------------------------------------------------------------------------

void Simulation::edit(void (*change)(api::LoadTest& test, int number)) {
  auto next = std::make_shared<api::LoadTest>(*object_);
  change(*next, ++edits_);
  if (!(next->spec == object_->spec)) ++next->metadata.generation;
  object_ = std::move(next);
  resolved_ = resolve();
}

void Simulation::user_acts() {
  switch (random_.below(10)) {
    case 0:
      tell("user: asks to stop");
      return edit([](api::LoadTest& test, int number) {
        test.metadata.annotations[std::string(api::kStopAnnotation)] =
            std::to_string(test.status.run.number + (number % 5 == 0 ? 1 : 0)) +
            (number % 2 == 0 ? "/Graceful" : "/Now");
      });
    case 1:
      tell("user: asks to stop in nonsense");
      return edit([](api::LoadTest& test, int) {
        test.metadata.annotations[std::string(api::kStopAnnotation)] = "please";
      });
    case 2:
      if (asks_ > 2) return;
      ++asks_;
      tell("user: new nonce");
      return edit(
          [](api::LoadTest& test, int number) { test.spec.run_nonce = std::to_string(number); });
    case 3:
      if (asks_ > 2) return;
      ++asks_;
      tell("user: rerun");
      return edit([](api::LoadTest& test, int number) {
        test.metadata.annotations[std::string(api::kRerunAnnotation)] =
            "token-" + std::to_string(number);
      });
    case 4:
    case 5:
      tell("user: edits the spec");
      return edit([](api::LoadTest& test, int number) {
        test.spec.parameters["users"] = std::to_string(number);
      });
    case 6:
      tell("user: suspends or resumes");
      return edit([](api::LoadTest& test, int) {
        test.spec.run_policy.suspend = !test.spec.run_policy.suspend;
      });
    case 7:
      tell("user: breaks or mends the spec");
      edit([](api::LoadTest& test, int number) {
        test.spec.parameters["broken"] = std::to_string(number);
      });
      if (problems_.empty()) {
        problems_.push_back({.path = "spec.tool", .message = "found \"x\"", .rule = "schema"});
      } else {
        problems_.clear();
      }
      return;
    case 8:
      if (!random_.percent(30)) return;
      tell("user: deletes");
      return edit([](api::LoadTest& test, int) { test.metadata.deletion_timestamp = kBegin; });
    default:
      granted_ = !granted_;
      return;
  }
}

void Simulation::wake_old_leader() {
  if (!old_plan_) return;
  tell("  an old leader wakes");
  for (const core::Action& action : old_plan_->actions) {
    // It does not know that the object is gone; finalizing twice is no harm.
    if (std::holds_alternative<core::Finalize>(action)) break;
    // What it releases is stale by now: a new leader has rewritten it.
    const bool releases = std::holds_alternative<core::Release>(action);
    const auto done = runtime_->apply(action, now_);
    if (releases && done) violate("an old leader's release succeeded");
    if (!done) break;
  }
  old_plan_.reset();
}

void Simulation::meddle() {
  if (benign_) return;
  if (random_.percent(25)) user_acts();
  if (old_plan_ && random_.percent(15)) {
    die();
    wake_old_leader();
  }
  const bool known = !seen_.empty() && object_->status.conditions.size() > 2 &&
                     object_->status.conditions[2].status == api::ConditionStatus::True &&
                     object_->status.run.number == seen_.back().number;
  if (known && random_.percent(1)) {
    tell("somebody removes the run behind the director's back");
    runtime_->lose(object_->status.run.number);
    old_plan_.reset();
  }
}

void Simulation::move_time(const Plan& plan, bool lossy) {
  if (lossy && random_.percent(40)) {
    now_ += random_.up_to(3000ms);
    if (random_.percent(8)) now_ += 20s;
    return;
  }
  // What an action has done is looked at soon; what is asked for again and again is not.
  const bool acted = !plan.actions.empty() && plan.actions != last_actions_;
  last_actions_ = plan.actions;
  if (acted || wrote_) {
    wrote_ = false;
    now_ += 1ms;
    return;
  }
  std::optional<TimePoint> next = runtime_->next_change();
  if (failure_) next = std::min(next.value_or(now_ + 1s), now_ + 1s);
  if (plan.requeue_after) {
    const TimePoint asked = now_ + *plan.requeue_after;
    if (!next || asked < *next) next = asked;
  }
  now_ = std::max(next.value_or(now_), now_ + 1ms);
}

// ---- the whole -------------------------------------------------------------------------------

/// From here on nobody hinders, so that it must come to rest.
void Simulation::settle_users() {
  granted_ = true;
  if (!problems_.empty()) {
    problems_.clear();
    edit([](api::LoadTest& test, int) { test.spec.parameters.erase("broken"); });
  }
  if (object_->spec.run_policy.suspend && random_.percent(70)) {
    edit([](api::LoadTest& test, int) { test.spec.run_policy.suspend = false; });
  }
}

bool Simulation::is_at_rest(const Plan& plan) const {
  const bool only_stops = std::all_of(plan.actions.begin(), plan.actions.end(), [](const auto& a) {
    return std::holds_alternative<core::Stop>(a);
  });
  const bool done = plan.actions.empty() || (runtime_->has_unkillable() && only_stops);
  return gone_ || (done && plan.status == object_->status && !plan.requeue_after);
}

bool Simulation::come_to_rest() {
  for (int i = 0; i < kMaxPassesToRest; ++i) {
    const auto before = object_;
    const Plan plan = pass(false);
    if (gone_) return true;
    const bool moved = before != object_;
    if (!moved && is_at_rest(plan) && !runtime_->next_change()) {
      check_rest(plan);
      return true;
    }
    move_time(plan, false);
  }
  violate("did not come to rest");
  return false;
}

void Simulation::check_rest(const Plan& plan) {
  const api::LoadTestStatus& status = object_->status;
  if (!plan.events.empty()) violate("events at rest");
  if (object_->metadata.deletion_timestamp) violate("deleted, and still there");
  if (!runtime_->is_quiet() && !runtime_->has_unkillable()) violate("something runs at rest");
  const bool suspended = object_->spec.run_policy.suspend;
  const bool active = status.run.number > 0 && !status.run.finished_at;
  if (active) violate("at rest with an active run");
  // What cannot be killed holds the next run up, and nothing else.
  if (runtime_->has_unkillable()) return;
  if (!suspended && status.phase != api::Phase::Finished) violate("at rest, but not finished");
  if (status.phase == api::Phase::Finished && status.verdict == api::Verdict::None) {
    violate("finished without a verdict");
  }
  if (api::encode_status(status).size() > api::kMaxStatusBytes) violate("the status is too large");
  if (benign_ &&
      (status.verdict == api::Verdict::Error || status.verdict == api::Verdict::Aborted)) {
    violate("nothing went wrong, yet the verdict is " +
            std::string(api::to_string(status.verdict)) + ": " + status.message);
  }
}

bool Simulation::play() {
  const int passes = benign_ ? 1 : 3 + random_.below(12);
  for (int i = 0; i < passes && !gone_; ++i) {
    meddle();
    const Plan plan = pass(!benign_);
    move_time(plan, !benign_);
  }
  if (!gone_) {
    settle_users();
    come_to_rest();
  }
  if (runtime_->runs_begun() > static_cast<size_t>(asks_)) {
    violate("more runs than were asked for: " + std::to_string(runtime_->runs_begun()));
  }
  stats_.runs = static_cast<int>(runtime_->runs_begun());
  stats_.last = object_->status.verdict;
  return violations_.empty() && runtime_->violations().empty();
}

std::vector<std::string> Simulation::violations() const {
  std::vector<std::string> all = violations_;
  all.insert(all.end(), runtime_->violations().begin(), runtime_->violations().end());
  return all;
}

void Simulation::tell(std::string what) {
  if (keeps_story_) story_.push_back(std::move(what));
}

}  // namespace atq::fakes
