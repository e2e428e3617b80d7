#pragma once
// Leader election over a coordination.k8s.io/v1 Lease: what to do next, and whether we lead. Pure:
// time is handed in, calls are handed out. The rules are those of client-go's leaderelection.go:
// a record is as old as the time since *we* saw it change, on our monotonic clock; the times that
// stand in it are for people. Beyond them, leadership counts from when our last good write was
// sent, not from when its answer came, so that a process frozen in between never believes too long.

#include <optional>
#include <string>
#include <variant>

#include "src/base/time.hpp"

namespace atq::locks {

struct LeaseTimes {
  Duration lease = std::chrono::seconds(15);  ///< how long others leave a holder alone
  Duration renew = std::chrono::seconds(10);  ///< without a renewal for so long: leadership is lost
  Duration retry = std::chrono::seconds(2);   ///< between tries
  Duration margin = std::chrono::seconds(1);  ///< no write of ours in the last part of `renew`
  double jitter = 1.2;  ///< a waiting contender tries again after retry * (1 .. 1 + jitter)
};

/// Empty where they are in order: lease > renew > retry * jitter, margin < renew.
std::string problem_of(const LeaseTimes& times);

/// spec of a Lease.
struct LeaseRecord {
  std::string holder;
  int64_t lease_seconds = 0;
  TimePoint acquired{}, renewed{};
  int64_t transitions = 0;
  bool operator==(const LeaseRecord&) const = default;
};

/// A record as the server has it.
struct SeenLease {
  LeaseRecord record;
  std::string version;  ///< resourceVersion
  bool operator==(const SeenLease&) const = default;
};

class LeaseMachine {
 public:
  LeaseMachine(std::string identity, const LeaseTimes& times);

  struct Read {};
  struct Write {
    LeaseRecord record;
    std::string version;  ///< that it must replace; "" = create
  };
  struct Wait {};  ///< nothing more in this try
  using Step = std::variant<Read, Write, Wait>;

  /// First step of a try: a leader renews by what it wrote last, anybody else reads.
  Step begin(Duration now, TimePoint wall) const;
  /// After a Read (nullopt: there is no Lease). A leader that finds another in its place has lost.
  Step read(const std::optional<SeenLease>& lease, Duration now, TimePoint wall);
  /// After a Write that succeeded; `sent` is when it was sent.
  void wrote(const SeenLease& lease, Duration sent, Duration now);
  /// After a Write whose version is not there any more: a leader on the short way looks once before
  /// it gives up.
  Step conflicted();

  /// We hold the lease and may write. False from `margin` before is_lost().
  bool may_write(Duration now) const;
  /// Leadership was ours and is no more.
  bool is_lost(Duration now) const;
  bool holds() const noexcept { return held_; }
  /// Until is_lost(), for deadlines; only while holding.
  Duration left(Duration now) const { return sent_ + times_.renew - now; }
  /// Until the next try; `random` in [0, 1). A contender wakes up when the holder's lease ends.
  Duration pause(Duration now, double random) const;

  /// What gives the lease up, where it is ours; nothing is held afterwards.
  std::optional<Write> release(TimePoint wall);
  /// By the newest record seen; "" where nobody does.
  const std::string& holder() const noexcept;

 private:
  bool is_free(Duration now) const;
  LeaseRecord wanted(TimePoint wall) const;
  void see(const SeenLease& lease, Duration now);
  Duration expiry() const;  // of the record seen

  std::string identity_;
  LeaseTimes times_;
  std::optional<SeenLease> seen_;
  Duration changed_{};  // when the record was first seen as it is
  Duration sent_{};     // when our last good write was
  bool held_ = false;
  bool taken_ = false;  // another was seen in our place
};

}  // namespace atq::locks
