#pragma once
// Watches for a tool's readiness: its log, its TCP port, its HTTP page.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/agent/attempt.hpp"
#include "src/agent/event_loop.hpp"
#include "src/agent/protocol.hpp"
#include "src/base/error.hpp"

namespace atq::agent {

/// Calls `on_ready` once, when all that the spec asks for has been seen.
class Readiness {
 public:
  /// Invalid where the log pattern is no regular expression.
  static Result<std::unique_ptr<Readiness>> create(EventLoop& loop, const ReplicaSpec& spec,
                                                   std::function<void()> on_ready);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  /// The tool has been started.
  void start();
  /// A line of its output.
  void see_line(std::string_view line);
  bool held() const { return held_; }
  /// What has not been seen yet: "tcp 10.0.0.1:1099 refused; no line of its output matches /…/";
  /// "" when all has held.
  std::string missing() const;

 private:
  /// A port that is tried until it answers.
  struct Port {
    Check check;
    std::unique_ptr<Attempt> attempt;
    EventLoop::Timer retry;
    bool held = false;
    std::string last_error;
  };
  Readiness(EventLoop& loop, std::function<void()> on_ready);
  void add_port(const ReplicaSpec& spec, const std::string& kind, int port);
  void try_port(Port& port);
  void decide();

  EventLoop& loop_;
  std::function<void()> on_ready_;
  std::shared_ptr<const re2::RE2> pattern_;
  bool pattern_seen_ = true;
  std::vector<std::unique_ptr<Port>> ports_;
  Clock::time_point started_;
  bool running_ = false;
  bool held_ = false;
};

}  // namespace atq::agent
