#pragma once
// What the tries over a socket have in common: the name's resolution, the connect, the time limit.

#include <memory>
#include <string>

#include "src/agent/attempt.hpp"
#include "src/agent/resolver.hpp"
#include "src/agent/socket.hpp"

namespace atq::agent {

class SocketAttempt : public Attempt {
 public:
  SocketAttempt(EventLoop& loop, const Check& check, int type, AttemptDone done);
  ~SocketAttempt() override;
  SocketAttempt(const SocketAttempt&) = delete;
  SocketAttempt& operator=(const SocketAttempt&) = delete;

  void start();

 protected:
  /// The socket is connected.
  virtual void connected() = 0;
  /// The time is up: finish() with what is known. Default: "timed out after 2s".
  virtual void timed_out();
  /// Calls `done` with the target before the problem. The attempt may be gone when it returns.
  void finish(const std::string& problem);

  EventLoop& loop_;
  const Check& check_;
  UniqueFd fd_;

 private:
  void resolve();
  void connect(const SocketAddress& address);
  void closed_with(int error_number);

  int type_;
  AttemptDone done_;
  EventLoop::Timer timeout_;
  EventLoop::Timer soon_;
  std::unique_ptr<Resolution> resolution_;
};

/// "refused", "no route to host" and the like, for people.
std::string describe_socket_error(int error_number);

}  // namespace atq::agent
