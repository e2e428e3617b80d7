#pragma once
// Keeps what an Access names fresh: tokens and certificates that rotate in their files, and what
// exec plugins print. The loop's thread only; files are small and read on it, plugins run beside
// it. No message holds a secret.

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "src/base/time.hpp"
#include "src/kube/kubeconfig.hpp"
#include "src/kube/rotating_secret.hpp"
#include "src/net/task.hpp"
#include "src/net/tls.hpp"

namespace atq::kube {

/// The world, for tests to put another in its place.
struct CredentialWorld {
  std::function<Steady()> now = [] { return std::chrono::steady_clock::now(); };
  std::function<TimePoint()> wall = [] {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  };
  RotatingSecret::Read read = [](const std::string& path) {
    return read_small_file(path, kMaxKubeconfigBytes);
  };
  std::function<void(const std::string&)> warn = [](const std::string&) {};
  std::chrono::milliseconds exec_timeout{60'000};
};

/// What a request needs now.
struct CurrentCredentials {
  std::string token;                           ///< "" = none
  std::shared_ptr<const net::TlsContext> tls;  ///< null: plain HTTP
  uint64_t identity = 0;  ///< another one: the client certificate has changed, so that connections
                          ///< made with the old one are to be closed
  bool operator==(const CurrentCredentials&) const = default;
};

class Credentials {
 public:
  Credentials(boost::asio::any_io_executor executor, Access access, CredentialWorld world = {});
  /// Call stop() first; then every current() must have ended.
  ~Credentials();
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  /// Reads the files once: what is wrong with them is best said at start.
  Result<void> load();

  /// Runs the exec plugin where one is due, once for all that wait for it and for at most
  /// exec_timeout. Errors: there is nothing to show the server yet, and why.
  net::Task<Result<CurrentCredentials>> current();

  /// The server has answered 401 to a request that was begun at `begun` with `used`. What is as old
  /// is dropped, so that the next current() may give something else; then one more try is due.
  void rejected(const CurrentCredentials& used, Steady begun);

  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::kube
