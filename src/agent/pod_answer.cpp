#include "src/agent/pod_answer.hpp"

#include "src/agent/protocol.hpp"

namespace atq::agent {
namespace {

HttpReply text(int status, const std::string& line) {
  return {.status = status, .body = line + "\n"};
}

HttpReply answer_start(const HttpRequest& request, const PodView& view) {
  if (request.method != "POST") return text(405, "/start takes POST");
  if (view.start_token.empty()) return text(409, "this replica does not wait to be started");
  if (request.query_value("token") != view.start_token) return text(403, "this is another run");
  const auto started_at_us = view.start();
  if (!started_at_us) return text(500, started_at_us.error().message);
  return {.status = 200,
          .body = encode(StartAnswer{*started_at_us}) + "\n",
          .content_type = "application/json"};
}

}  // namespace

HttpReply answer_pod_request(const HttpRequest& request, const PodView& view) {
  if (request.path == "/start") return answer_start(request, view);
  if (request.path != "/ready") return text(404, "only /ready and /start are here");
  if (request.method != "GET" && request.method != "HEAD") return text(405, "/ready takes GET");
  return view.not_ready.empty() ? text(200, "ready") : text(503, view.not_ready);
}

}  // namespace atq::agent
