#pragma once
// The policies of the state machine, one file each. All of them read and write the Pass and decide
// from what is observed and stored alone. docs/state-machine.md tells the whole story.

#include "controller/core/pass.hpp"

namespace atq::core {

// rerun.cpp: which runs there are to be
/// A run that was begun and whose status write was lost becomes the present run.
void adopt_run(Pass& pass);
/// Whether one more run is asked for: none yet, a new nonce, a new rerun token.
bool is_run_wanted(const Pass& pass);
/// Writes the start of run `number` into the status.
void open_run(Pass& pass, int64_t number);

// admission.cpp, suspend.cpp: whether it may start now
/// Starts the wanted run unless something holds it; then pass.holding says what.
void start_next(Pass& pass);
bool is_suspended(const Pass& pass);

// discovery.cpp, workers.cpp, health.cpp, master.cpp: the phases. True: done, go on.
bool discover(Pass& pass);
bool await_workers(Pass& pass);
bool await_health(Pass& pass);
/// Makes the master inert ahead of time, so that its release is one write.
void ensure_master(Pass& pass);
bool release_load(Pass& pass);
/// The load has been released by somebody although the status does not say so (its write was lost).
bool is_released(const Pass& pass);
/// Master phase: waits for its end, then has the results read and judges.
void await_end(Pass& pass);

// deadlines.cpp: latch Error where time is up
void enforce_startup_deadline(Pass& pass);
void enforce_active_deadline(Pass& pass);
TimePoint active_deadline(const Pass& pass);

// worker_loss.cpp
void count_workers(Pass& pass);
bool is_lost(const Pass& pass, const Replica& worker);
/// Latches Error where lost workers end the run.
void enforce_worker_loss(Pass& pass);

// failure.cpp
/// Latches Error where the platform refuses a start for good; else notes the failure as what
/// blocks.
void heed_failure(Pass& pass);

// stop.cpp
/// Serves atq.dev/stop: latches Aborted, or remembers that a stop is to be at once.
void serve_stop_request(Pass& pass);
bool is_stop_now(const Pass& pass);

// collect.cpp
/// Ends what runs, has the results read, finishes the run.
void collect(Pass& pass);

// cleanup.cpp, deletion.cpp
/// The newest run is finished and about to be removed; the next one waits for that.
bool is_cleanup_due(const Pass& pass);
/// Removes finished runs as their policy says, and ends what runs of them against all expectation.
void clean_up(Pass& pass);
void delete_all(Pass& pass);

// status.cpp, conditions.cpp, events.cpp
void fill_status(Pass& pass);
void fill_conditions(Pass& pass);
void emit_events(Pass& pass);
/// True where the stored condition of this type is True.
bool holds(const api::LoadTestStatus& status, api::ConditionType type) noexcept;
/// The phase is nothing but a reading of the conditions.
api::Phase phase_of(const api::LoadTestStatus& status) noexcept;

}  // namespace atq::core
