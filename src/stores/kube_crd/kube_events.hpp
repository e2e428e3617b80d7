#pragma once
// Events of LoadTests as Events of the cluster (events.k8s.io/v1), so that `kubectl describe` and
// `kubectl events` show them. Repeats become a series. What concerns no object is not written.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "controller/ports/event_sink.hpp"
#include "src/kube/client.hpp"

namespace atq::stores::kube {

class KubeEvents final : public ports::EventSink {
 public:
  struct Options {
    std::string instance;  ///< this process: the identity in the Lease
    uint64_t seed = 0;
    std::function<void(const std::string&)> note = nullptr;  ///< what a log should warn of
  };
  /// `io` and `client` must outlive it and run().
  KubeEvents(boost::asio::io_context& io, atq::kube::Client& client, Options options);
  ~KubeEvents() override;

  void emit(const std::string& regarding, const std::string& uid, const core::Event& event,
            TimePoint at) override;
  Task<void> run() override;
  void stop() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::stores::kube
