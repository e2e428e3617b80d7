#pragma once
// What the runtime holds of a run in memory. All of it can be read again from the run's folder.

#include <coroutine>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "controller/ports/runtime.hpp"
#include "src/proc/loopback.hpp"
#include "src/proc/watch.hpp"
#include "src/runtimes/process/run_record.hpp"

namespace atq::process {

/// Lets one caller in at a time, first come first served. One thread.
class Turnstile {
 public:
  explicit Turnstile(boost::asio::io_context& loop) : loop_(loop) {}

  class [[nodiscard]] Pass {
   public:
    explicit Pass(std::shared_ptr<Turnstile> turnstile) : turnstile_(std::move(turnstile)) {}
    Pass(Pass&&) noexcept = default;
    Pass& operator=(Pass&&) = delete;
    Pass(const Pass&) = delete;
    ~Pass() {
      if (turnstile_) turnstile_->leave();
    }

   private:
    std::shared_ptr<Turnstile> turnstile_;
  };

  /// `self` must outlive the wait.
  static Task<Pass> enter(const std::shared_ptr<Turnstile>& self);

 private:
  void leave();

  boost::asio::io_context& loop_;
  bool busy_ = false;
  std::deque<std::shared_ptr<boost::asio::steady_timer>> waiting_;
};

struct ReplicaEntry {
  core::Role role = core::Role::Worker;
  int index = 0;
  bool created = false;
  bool released = false;
  bool started = false;
  bool ready = false;
  bool stop_asked = false;
  int settling = 0;  ///< looks at its end that are under way
  int64_t started_at_us = 0;
  std::optional<core::Exit> exit;
  int agent_pid = 0;
  std::unique_ptr<proc::ProcessWatch> agent;  ///< while its agent lives
  std::unique_ptr<boost::asio::steady_timer> kill_timer;
  int watch = -1;

  /// No agent was ever seen to begin here.
  bool untouched() const { return !exit && !started && !agent && settling == 0; }
};

struct ProberEntry {
  bool exists = false;  ///< checks.json is written
  bool stopped = false;
  std::unique_ptr<proc::ProcessWatch> process;
  std::unique_ptr<boost::asio::steady_timer> retry;
  int failures = 0;
  int watch = -1;
  uint64_t offset = 0;  ///< read of report.jsonl
  std::string partial;  ///< an unfinished line of it
  std::map<std::pair<std::string, int>, core::CheckResult> results;
};

struct RunEntry {
  explicit RunEntry(boost::asio::io_context& loop) : turnstile(std::make_shared<Turnstile>(loop)) {}

  RunRecord record;  ///< without the frozen text, which is read again when asked for
  RunFolder folder;
  std::weak_ptr<const api::FrozenSpec> frozen_seen;
  std::shared_ptr<const api::FrozenSpec> frozen;  ///< held while something may still happen
  proc::AddressRange addresses;
  std::vector<ReplicaEntry> workers;
  std::optional<ReplicaEntry> master;
  ProberEntry prober;
  bool collected = false;
  bool removed = false;
  bool closed = false;  ///< the director goes: whoever listens should end
  std::optional<core::Statement> statement;
  std::list<std::function<void()>> listeners;  ///< told of each change
  std::shared_ptr<Turnstile> turnstile;

  bool has_workers() const;
  /// Every replica that was created has ended.
  bool all_over() const;
  std::vector<ReplicaEntry*> replicas(core::Role role);
  const Place& place(const ReplicaEntry& replica) const;
  bool waits_for_release(const ReplicaEntry& replica) const {
    return replica.role == core::Role::Master || !record.master;
  }
};

/// The run as the engine sees it. `frozen` may be null where the run is over.
core::ObservedRun observe_run(const RunEntry& run, const api::FrozenSpec* frozen,
                              const std::string& version);

}  // namespace atq::process
