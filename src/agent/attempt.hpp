#pragma once
// One try of a health check, without blocking.

#include <functional>
#include <memory>
#include <string>

#include "src/agent/event_loop.hpp"
#include "src/agent/expectation.hpp"

namespace atq::agent {

/// Why it failed, with the target in front: "tcp 127.0.0.1:1099 refused"; "" = it passed.
using AttemptDone = std::function<void(std::string error)>;

/// Destroying it ends the try: sockets closed, processes killed.
class Attempt {
 public:
  virtual ~Attempt() = default;
};

/// Starts a try; `done` is called once from the loop, never from within this call, at the latest
/// after the target's timeout. It may destroy the attempt. `check` and `loop` outlive it.
std::unique_ptr<Attempt> start_attempt(EventLoop& loop, const Check& check, AttemptDone done);

// What start_attempt chooses from, by the target's kind.
std::unique_ptr<Attempt> start_tcp_attempt(EventLoop& loop, const Check& check, AttemptDone done);
std::unique_ptr<Attempt> start_udp_attempt(EventLoop& loop, const Check& check, AttemptDone done);
std::unique_ptr<Attempt> start_http_attempt(EventLoop& loop, const Check& check, AttemptDone done);
/// Reaps all children of the process: whoever uses it has none that others wait for.
std::unique_ptr<Attempt> start_exec_attempt(EventLoop& loop, const Check& check, AttemptDone done);

}  // namespace atq::agent
