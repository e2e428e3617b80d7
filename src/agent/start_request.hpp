#pragma once
// The start of one worker: a connection that stands, then one POST /start on it.

#include <functional>
#include <memory>
#include <string>

#include "src/agent/event_loop.hpp"
#include "src/agent/http_answer.hpp"
#include "src/agent/resolver.hpp"
#include "src/agent/socket.hpp"
#include "src/agent/start_command.hpp"

namespace atq::agent {

/// Tries again until it is destroyed; who has it bounds the time.
class StartRequest {
 public:
  /// `changed` is called from the loop whenever connected(), settled() or problem() has changed.
  StartRequest(EventLoop& loop, HostPort target, const std::string& token,
               std::function<void()> changed);
  ~StartRequest();
  StartRequest(const StartRequest&) = delete;
  StartRequest& operator=(const StartRequest&) = delete;

  void connect();
  /// Sends the request; only once connected.
  void send();

  bool connected() const { return state_ == State::Connected; }
  /// Started, or refused for good: another try would give the same.
  bool settled() const { return state_ == State::Settled; }
  int64_t started_at_us() const { return started_at_us_; }  ///< 0: not started
  /// "10.0.0.7:7070 refused"; the last one.
  const std::string& problem() const { return problem_; }

 private:
  enum class State { Idle, Connecting, Connected, Sent, Settled };
  void connect_to(const SocketAddress& address);
  void connection_stands();
  void lost_while_waiting();
  void write_request();
  void read_answer();
  void judge();
  void settle(std::string problem);
  void try_again(const std::string& problem);
  void close();

  EventLoop& loop_;
  const HostPort target_;
  const std::string name_, request_;
  const std::function<void()> changed_;
  State state_ = State::Idle;
  bool released_ = false;  ///< send() was called: a new connection sends at once
  std::unique_ptr<Resolution> resolution_;
  UniqueFd fd_;
  size_t written_ = 0;
  HttpAnswer answer_;
  int64_t started_at_us_ = 0;
  std::string problem_;
  EventLoop::Timer retry_;
};

}  // namespace atq::agent
