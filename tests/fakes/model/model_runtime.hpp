#pragma once
// A runtime as the contract of controller/ports/runtime.hpp describes it, without calls that wait:
// actions change it at once, and time moves what it has (replicas start, become ready, end). What
// its replicas will do is drawn when they are made. It counts every start, so that a test can hold
// "once means once" against it.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/plan.hpp"
#include "tests/fakes/model/random.hpp"

namespace atq::fakes {

/// Chances in percent.
struct ModelHabits {
  int network_never = 0;
  int worker_never_starts = 0;
  int worker_never_ready = 0;
  int worker_dies_early = 0;  ///< before or during the load, with some exit
  int check_never_passes = 0;
  int master_never_ends = 0;
  int master_fails = 0;
  int no_statement = 0;
  int ignores_graceful = 0;  ///< ends by KILL after the grace
  int unkillable = 0;        ///< ends by nothing but its removal
};

class ModelRuntime {
 public:
  ModelRuntime(ModelHabits habits, Random random) : habits_(habits), random_(random) {}

  /// Carries one action out. `frozen` of BeginRun is kept as the first gave it.
  Result<void> apply(const core::Action& action, TimePoint now);
  /// Lets time pass: everything due until `now` happens.
  void advance(TimePoint now);
  /// When something happens next by itself.
  std::optional<TimePoint> next_change() const;

  std::vector<core::ObservedRun> observe() const;
  std::shared_ptr<const api::FrozenSpec> frozen(int64_t run) const;
  int64_t highest_run() const { return runs_.empty() ? 0 : runs_.rbegin()->first; }
  /// A new leader has taken over: releases under an older version fail from now on.
  void take_over();
  /// Somebody removes a run behind the director's back.
  void lose(int64_t run) { runs_.erase(run); }

  // ---- what is held against the invariants ---------------------------------------------------
  /// A sentence for each broken rule; empty as long as all hold.
  const std::vector<std::string>& violations() const { return violations_; }
  /// Runs begun so far, whatever became of them.
  size_t runs_begun() const { return begun_.size(); }
  bool is_quiet() const;  ///< nothing runs or could be released
  bool has_unkillable() const { return has_unkillable_; }

 private:
  struct Fate {
    std::optional<TimePoint> at;  ///< of the next change
    std::optional<TimePoint> kill_at;
    std::optional<TimePoint> inert_at;  ///< made by then
    Duration ready_after{};
    bool never_ready = false;
    bool unkillable = false;
    std::optional<Duration> lives;  ///< from Running; nullopt: until it is stopped
    int code = 0;
    int signal = 0;
    TimePoint running_since{};
  };
  struct Check {
    std::optional<TimePoint> passes_at;
  };
  struct Run {
    std::shared_ptr<const api::FrozenSpec> frozen;
    core::ObservedRun seen;
    std::vector<Fate> fates;
    Fate master_fate;
    std::vector<Check> checks;
    std::optional<TimePoint> network_at;
    uint64_t version = 0;
    bool released = false;
    bool again = false;  ///< made anew after it was removed (by a leader from the past)
  };

  struct Applier;

  void begin(const core::BeginRun& action, TimePoint now);
  void make_workers(Run& run, TimePoint now);
  void make_master(Run& run, TimePoint now);
  void make_checks(Run& run, TimePoint now);
  Result<void> release(Run& run, const core::Release& action, TimePoint now);
  void stop(Run& run, const core::Stop& action, TimePoint now);
  void collect(Run& run);
  void start(Run& run, core::Role role, core::Replica& replica, Fate& fate, TimePoint now);
  void end(core::Replica& replica, Fate& fate, TimePoint at, int code, int signal);
  void step(Run& run, core::Role role, core::Replica& replica, Fate& fate, TimePoint now);
  void stop_replica(core::Replica& replica, Fate& fate, const core::Stop& action, TimePoint now);
  Fate draw_worker(const Run& run);
  Fate draw_master();
  void check_release(const Run& run);
  void bump(Run& run) {
    run.version = ++versions_;
    run.seen.version = std::to_string(run.version);
  }
  void violate(std::string what) { violations_.push_back(std::move(what)); }

  ModelHabits habits_;
  Random random_;
  std::map<int64_t, Run> runs_;
  std::map<int64_t, int> begun_;
  std::map<std::tuple<int64_t, core::Role, int>, int> starts_;
  std::vector<std::string> violations_;
  uint64_t versions_ = 0;
  bool has_unkillable_ = false;
};

}  // namespace atq::fakes
