#pragma once
// The controllers and the kubelet behind a FakeApi, as far as the Jobs of a run need them: a Job's
// pods come, run, end and are counted; a suspended Job's go. What a pod does is told by the last
// word of its main container's command: "forever", "exit0", "exit3"; a prober passes all its
// checks, a starter starts all its workers.
//
// As the real one: with `podReplacementPolicy: Failed` and `backoffLimitPerIndex: 0` an index gets
// one pod ever, and a pod that is deleted under an active Job fails its index. Unlike it: no time
// passes between two steps, deleted pods are gone at once.

#include <map>
#include <set>
#include <string>

#include <boost/asio/io_context.hpp>

#include "tests/fakes/kube/fake_api.hpp"

namespace atq::fakes::kube {

class SimCluster {
 public:
  /// Reacts to every change at the loop's next turn. Takes api.on_write() for itself.
  SimCluster(boost::asio::io_context& loop, FakeApi& api);

  /// Everything that follows from what there is, until nothing does.
  void settle();

  /// New pods do not get beyond Pending: nothing of a container's status is known.
  void hold_pods(bool held) { held_ = held; }

 private:
  struct JobSeen {
    std::set<int> given;  ///< indexes that have had a pod
    std::map<int, int> exits;
    bool counted = false;
  };

  bool step();
  bool step_job(const Json& job);
  bool step_pod(const Json& pod);
  bool create_pods(const Json& job, JobSeen& seen);
  bool end_pods(const Json& job, JobSeen& seen);
  bool count(const Json& job, JobSeen& seen);
  void run_pod(const Json& pod);
  void end_pod(const Json& pod, int code, int signal, const std::string& log);
  std::vector<Json> pods_of(const Json& job) const;
  bool has_started(const Json& pod) const;

  boost::asio::io_context& loop_;
  FakeApi& api_;
  std::map<std::string, JobSeen> jobs_;  ///< by uid
  int addresses_ = 1;
  bool scheduled_ = false, settling_ = false, held_ = false;
};

}  // namespace atq::fakes::kube
