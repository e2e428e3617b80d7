// The object is being deleted: from here on nothing is started or adopted; what there is of it is
// removed, then the object is let go.

#include "controller/core/policies.hpp"

namespace atq::core {

void delete_all(Pass& pass) {
  if (pass.active()) {
    latch(pass, api::Verdict::Aborted, "Deleted", "the LoadTest was deleted during the run");
  }
  for (const ObservedRun& run : pass.world.observed) {
    pass.act(RemoveRun{{pass.test.metadata.uid, run.number}});
  }
  // A run that was just begun may not be seen yet.
  if (pass.active() && pass.run == nullptr) pass.act(RemoveRun{pass.id()});
  if (pass.world.observed.empty()) pass.act(Finalize{});
}

}  // namespace atq::core
