#pragma once
// One random world: an object, a model runtime, a director that may die between any two steps, an
// old leader that may wake, and users who edit, stop, ask for more and delete. play() drives it
// through faults and then lets it come to rest; violations() says which invariant was broken. All
// from one seed.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/reconcile.hpp"
#include "tests/fakes/model/model_runtime.hpp"

namespace atq::fakes {

struct SimulationStats {
  int passes = 0;
  int runs = 0;
  api::Verdict last = api::Verdict::None;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed);
  /// False where an invariant was broken.
  bool play();
  std::vector<std::string> violations() const;
  /// What happened, pass by pass; for the message of a failed test.
  const std::vector<std::string>& story() const { return story_; }
  const SimulationStats& stats() const { return stats_; }
  void keep_story() { keeps_story_ = true; }

 private:
  void draw_spec();
  void draw_habits();
  std::shared_ptr<const api::FrozenSpec> resolve() const;
  core::World gather(bool fresh);
  core::Plan pass(bool lossy);
  void check(const core::World& world, const core::Plan& plan);
  void check_history(const api::LoadTestStatus& next);
  void check_need(const core::World& world, const core::Plan& plan);
  /// False: the director died on the way.
  bool execute(const core::Plan& plan, bool lossy);
  bool act(const core::Action& action, bool lossy);
  void write_status(const core::Plan& plan, bool lossy);
  void die();
  void meddle();
  void user_acts();
  void wake_old_leader();
  void edit(void (*change)(api::LoadTest& test, int number));
  void settle_users();
  bool come_to_rest();
  bool is_at_rest(const core::Plan& plan) const;
  void check_rest(const core::Plan& plan);
  void move_time(const core::Plan& plan, bool lossy);
  void tell(std::string what);
  void violate(std::string what) { violations_.push_back(std::move(what)); }

  Random random_;
  ModelHabits habits_;
  std::optional<ModelRuntime> runtime_;
  std::shared_ptr<const api::LoadTest> object_;
  std::shared_ptr<const api::FrozenSpec> resolved_;
  std::vector<api::Problem> problems_;
  TimePoint now_;
  bool gone_ = false;
  bool granted_ = true;
  bool benign_ = false;
  int asks_ = 1;
  int edits_ = 0;

  // What dies with the director.
  std::optional<core::ActionFailure> failure_;
  std::vector<core::ObservedRun> seen_;

  std::vector<core::Action> last_actions_;
  bool wrote_ = false;
  std::optional<core::Plan> old_plan_;
  std::vector<std::string> violations_;
  std::vector<std::string> story_;
  bool keeps_story_ = false;
  SimulationStats stats_;
};

}  // namespace atq::fakes
