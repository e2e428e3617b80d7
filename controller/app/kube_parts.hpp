#pragma once
// What store, runtime, events and lock of a cluster share: one connection for the work and one for
// the lease alone, so that no burst of work can hold a renewal up; made when first asked for.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "controller/app/config.hpp"
#include "src/kube/connection.hpp"

namespace atq::app {

class KubeParts {
 public:
  KubeParts(boost::asio::io_context& loop, KubernetesConfig config,
            std::function<void(const std::string&)> warn,
            std::function<void(const kube::RequestMade&)> on_request);
  /// Whatever uses a client must have ended.
  ~KubeParts();

  /// Errors name the file, context or account that is missing or wrong.
  Result<kube::Client*> shared();
  Result<kube::Client*> for_lease();
  /// From now on shared() sends no write unless `holds()`: asked at the last moment, as the process
  /// may have been frozen since a write was decided on.
  void write_only_while(std::function<bool()> holds) { may_write_ = std::move(holds); }
  /// As configured, else the pod's, else the connection's. After shared() or for_lease().
  std::string lease_namespace() const;
  /// "HOST_UUID", the host being the pod where there is one; another for each process.
  const std::string& identity() const noexcept { return identity_; }
  /// Of the process; spreads waits.
  uint64_t seed() const;
  /// Ends every call.
  void stop();

 private:
  Result<kube::Client*> get(std::optional<kube::Connection>& into, const char* suffix, int limit,
                            std::function<bool()> may_write);

  boost::asio::io_context& loop_;
  KubernetesConfig config_;
  std::function<void(const std::string&)> warn_;
  std::function<void(const kube::RequestMade&)> on_request_;
  std::string identity_;
  std::function<bool()> may_write_;
  std::optional<kube::Connection> shared_, lease_;
};

}  // namespace atq::app
