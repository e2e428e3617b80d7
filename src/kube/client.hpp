#pragma once
// The waist of the Kubernetes client: calls and streams of JSON text. Everything above it
// (objects.hpp, reflector.hpp, events.hpp) is written against this class, so that tests give a
// fake; make_client() in connection.hpp gives the real one, which adds authentication, retries
// where the server asks for them, metrics and deadlines. No LoadTest in here.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "src/base/error.hpp"
#include "src/net/cancel.hpp"
#include "src/net/task.hpp"

namespace atq::kube {

using net::Task;

/// Content types of the three kinds of PATCH we use, and of server-side apply.
inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kMergePatch = "application/merge-patch+json";
inline constexpr std::string_view kJsonPatch = "application/json-patch+json";
inline constexpr std::string_view kApplyPatch = "application/apply-patch+yaml";

struct Call {
  std::string method = "GET";
  std::string target;  ///< path and query, encoded
  std::string content_type{kJson};
  std::string body;
  std::chrono::milliseconds timeout{10'000};       ///< of the whole call
  std::chrono::milliseconds idle_timeout{30'000};  ///< of a stream: without a byte; 0: none
  /// Ends a stream alone, with Canceled, where Client::stop() would end those of others too.
  std::shared_ptr<net::Canceler> canceler;
};

/// Errors of both: what the server's Status says (status.hpp maps code and reason to an ErrorKind),
/// else the connection's: NotFound never means "nobody listens" here, that is Unavailable; Timeout
/// and Unavailable say nothing of the effect of a write; Throttled has retry_after; Canceled after
/// stop().
class Client {
 public:
  virtual ~Client() = default;

  /// Gives the body of a 2xx answer.
  virtual Task<Result<std::string>> call(Call call) = 0;

  /// Gives a 2xx answer's body to `sink` in pieces as they come; `sink` gives false to end it
  /// (success). Success too at the body's regular end.
  virtual Task<Result<void>> stream(Call call, std::function<bool(std::string_view)> sink) = 0;

  /// Ends everything under way.
  virtual void stop() = 0;
};

}  // namespace atq::kube
