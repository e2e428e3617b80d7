#include "controller/core/requests.hpp"

namespace atq::core {

Result<std::string> stop_request(const api::LoadTest& test, bool now) {
  const api::RunStatus& run = test.status.run;
  if (run.number == 0 || run.finished_at) {
    return fail(ErrorKind::Conflict,
                "no run of " + api::to_string(api::key_of(test)) + " to stop: " +
                    (run.number == 0 ? std::string("none has begun")
                                     : "run " + std::to_string(run.number) + " has finished"));
  }
  const std::string prefix = std::to_string(run.number) + "/";
  const auto present = test.metadata.annotations.find(std::string(api::kStopAnnotation));
  if (present != test.metadata.annotations.end() && present->second == prefix + "Now") {
    return present->second;
  }
  return prefix + (now ? "Now" : "Graceful");
}

}  // namespace atq::core
