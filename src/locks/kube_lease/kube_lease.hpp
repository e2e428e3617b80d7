#pragma once
// Leadership by a Lease of the API server (coordination.k8s.io/v1): the rules stand in
// lease_machine.hpp, this carries its calls out. Give it a client of its own, so that nothing else
// can hold a renewal up. One io_context thread.

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "controller/ports/clock.hpp"
#include "controller/ports/leader_lock.hpp"
#include "src/kube/client.hpp"
#include "src/locks/kube_lease/lease_machine.hpp"

namespace atq::locks {

struct KubeLeaseOptions {
  std::string ns;        ///< of the Lease; it must exist
  std::string name;      ///< of the Lease; created where it does not exist
  std::string identity;  ///< unique to this process, for ever: "hostname_UUID"
  LeaseTimes times;
  uint64_t seed = 0;                             ///< of the jitter
  std::function<void(const std::string&)> note;  ///< what a log should warn of
  std::function<void()> slow_path;               ///< a renewal had to read first, for the metric
};

class KubeLease final : public ports::LeaderLock {
 public:
  /// All must outlive it, `client` also the calls under way: await ended() or stop the client.
  KubeLease(boost::asio::io_context& io, ports::Clock& clock, kube::Client& client,
            KubeLeaseOptions options);
  ~KubeLease() override;

  /// Tries until it leads; whatever the API server says (a role may come later than the director),
  /// each new complaint is noted. Invalid: the times do not fit each other.
  AsyncResult<bool> acquire() override;
  /// Renews, so it must be awaited as soon as acquire() has given true. Returns `renew` after the
  /// last good write was sent at the latest, at once where another holds the lease.
  Task<void> lost() override;
  bool still_held() const override;
  /// Begins to give the lease up.
  void stop() override;
  Task<void> ended() override;
  /// The identity in the record, printable and short; "" before the first look.
  std::string holder() const override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the call that gives the lease up
};

}  // namespace atq::locks
