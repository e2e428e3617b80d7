#pragma once
// What a replica in a pod answers to whom asks it by HTTP. Pure.

#include <functional>
#include <string>

#include "src/agent/http_request.hpp"
#include "src/base/error.hpp"

namespace atq::agent {

struct PodView {
  std::string start_token;  ///< "" = the tool does not wait to be started
  std::string not_ready;    ///< "" = ready
  /// Starts the tool if it has not been started; its start time, or why it did not start.
  std::function<Result<int64_t>()> start;
};

/// GET /ready: 200, or 503 with what is missing. POST /start?token=T: 200 with StartAnswer, again
/// and again the same; 403 for another token; 409 where nothing waits for a start; 500 where the
/// tool cannot be started.
HttpReply answer_pod_request(const HttpRequest& request, const PodView& view);

}  // namespace atq::agent
