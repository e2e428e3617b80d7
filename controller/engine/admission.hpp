#pragma once
// Who may run: at most so many runs at once on a runtime, first come first served by (queued_at,
// key). Pure book-keeping; its order derives from the objects' status, so it survives a restart.

#include <map>
#include <string>
#include <vector>

#include "controller/core/world.hpp"
#include "controller/engine/work_queue.hpp"

namespace atq::engine {

class Admission {
 public:
  /// Runs at once on the runtimes named; the others may have `other`. 0 or less: no limit.
  Admission(std::map<std::string, int> limits, int other);

  /// The answer for `item` on `runtime` as of now. One that does not wait yet would go to the end.
  core::AdmissionTicket ticket(const WorkItem& item, const std::string& runtime) const;

  /// What the status of an object says, before its first pass (start, restart).
  void seed(const WorkItem& item, const std::string& runtime, const api::LoadTestStatus& status);
  /// What a pass decided. `queued_at` counts where it wants, to the millisecond, as statuses keep
  /// it. True where others may now move up.
  bool update(const WorkItem& item, const std::string& runtime, bool wants, bool holds,
              TimePoint queued_at);
  void forget(const WorkItem& item);
  /// The object has gone, its run not yet: the place is kept for what removes the run.
  void rename(const WorkItem& from, const WorkItem& to);

  /// Those waiting on `runtime` that a pass would now admit, in order.
  std::vector<WorkItem> admissible(const std::string& runtime) const;
  /// All that wait on `runtime`, in order.
  std::vector<WorkItem> waiting(const std::string& runtime) const;
  int running(const std::string& runtime) const;
  /// Where `item` holds or waits; "" where it does neither.
  std::string runtime_of(const WorkItem& item) const;

 private:
  struct Place {
    TimePoint queued_at{};
    WorkItem item;
    auto operator<=>(const Place&) const = default;
  };
  struct Record {
    std::string runtime;
    bool holds = false;
    TimePoint queued_at{};
  };
  struct Line {
    std::vector<Place> waiting;  // sorted
    int running = 0;
  };

  int limit_of(const std::string& runtime) const;
  void insert(const WorkItem& item, Record record);

  std::map<std::string, int> limits_;
  int other_;
  std::map<WorkItem, Record> records_;
  std::map<std::string, Line> lines_;
};

}  // namespace atq::engine
