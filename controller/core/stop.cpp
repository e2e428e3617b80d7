// The request atq.dev/stop: "4/Graceful" or "4/Now" names the run it means, so that one left over
// from an earlier run stops nothing.

#include <charconv>

#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

struct StopRequest {
  int64_t run = 0;
  StopMode mode = StopMode::Graceful;
};

std::optional<StopRequest> parse(std::string_view text) {
  StopRequest request;
  const char* end = text.end();
  const auto [rest, error] = std::from_chars(text.begin(), end, request.run);
  if (error != std::errc{} || request.run < 1) return std::nullopt;
  const std::string_view mode(rest, static_cast<size_t>(end - rest));
  if (mode == "/Graceful") return request;
  request.mode = StopMode::Now;
  return mode == "/Now" ? std::optional(request) : std::nullopt;
}

void refuse(Pass& pass, std::string_view why) {
  std::string message = "atq.dev/stop: \"" + pass.status.run.stop_request + "\" is ignored: ";
  message += why;
  pass.event(true, "StopIgnored", tidy(std::move(message), kMaxMessage));
}

void serve(Pass& pass, const StopRequest& request) {
  api::RunStatus& run = pass.status.run;
  if (!run.stop_requested_at) run.stop_requested_at = pass.now;
  latch(pass, api::Verdict::Aborted, "StoppedByUser",
        request.mode == StopMode::Now ? "stopped by a person, at once"
                                      : "stopped by a person, gracefully");
}

}  // namespace

void serve_stop_request(Pass& pass) {
  const auto& annotations = pass.test.metadata.annotations;
  if (annotations.empty()) return;
  const auto found = annotations.find(std::string(api::kStopAnnotation));
  if (found == annotations.end() || found->second.empty()) return;
  const std::string mark = mark_of(found->second);
  if (mark == pass.status.run.stop_request) return;
  if (pass.active() && is_stop_now(pass)) return;  // nothing is faster
  pass.status.run.stop_request = mark;
  const auto request = parse(found->second);
  if (!request) {
    refuse(pass, "expected the run's number and the way, as in \"4/Graceful\" or \"4/Now\"");
  } else if (request->run != pass.status.run.number) {
    refuse(pass, pass.status.run.number == 0
                     ? "no run has begun"
                     : "the present run is number " + std::to_string(pass.status.run.number));
  } else if (!pass.active()) {
    refuse(pass, "that run has ended");
  } else {
    serve(pass, *request);
  }
}

bool is_stop_now(const Pass& pass) {
  if (!pass.status.run.stop_requested_at) return false;
  const auto request = parse(pass.status.run.stop_request);
  return request && request->run == pass.status.run.number && request->mode == StopMode::Now;
}

}  // namespace atq::core
