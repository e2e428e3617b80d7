// The tries "tcp" (somebody accepts) and "udp" (an answer, or at least no refusal).

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>

#include "src/agent/socket_attempt.hpp"

namespace atq::agent {
namespace {

class TcpAttempt : public SocketAttempt {
 public:
  TcpAttempt(EventLoop& loop, const Check& check, AttemptDone done)
      : SocketAttempt(loop, check, SOCK_STREAM, std::move(done)) {}

 protected:
  void connected() override { finish({}); }
};

/// Without an expected answer silence is a pass: an ICMP refusal of a host that lives comes at
/// once, so a short wait tells.
class UdpAttempt : public SocketAttempt {
 public:
  UdpAttempt(EventLoop& loop, const Check& check, AttemptDone done)
      : SocketAttempt(loop, check, SOCK_DGRAM, std::move(done)) {}
  ~UdpAttempt() override { loop_.cancel(silence_); }

 protected:
  void connected() override {
    const std::string& payload = check_.target.send;
    if (::send(fd_.get(), payload.data(), payload.size(), MSG_NOSIGNAL) < 0) {
      return finish(describe_socket_error(errno));
    }
    loop_.watch(fd_.get(), EPOLLIN, [this](uint32_t) { receive(); });
    if (check_.expect) return;
    constexpr int64_t kSilenceMs = 200;
    const std::chrono::milliseconds wait(std::min(kSilenceMs, check_.target.timeout_ms / 2));
    silence_ = loop_.after(wait, [this] { finish({}); });
  }
  void timed_out() override {
    if (!last_problem_.empty()) return finish(last_problem_);
    SocketAttempt::timed_out();
  }

 private:
  void receive() {
    std::array<char, 65'536> buffer;
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) return finish(describe_socket_error(errno));
    last_problem_ = judge_udp(check_, {buffer.data(), static_cast<size_t>(count)});
    if (last_problem_.empty()) finish({});
  }

  EventLoop::Timer silence_;
  std::string last_problem_;
};

}  // namespace

std::unique_ptr<Attempt> start_tcp_attempt(EventLoop& loop, const Check& check, AttemptDone done) {
  auto attempt = std::make_unique<TcpAttempt>(loop, check, std::move(done));
  attempt->start();
  return attempt;
}

std::unique_ptr<Attempt> start_udp_attempt(EventLoop& loop, const Check& check, AttemptDone done) {
  auto attempt = std::make_unique<UdpAttempt>(loop, check, std::move(done));
  attempt->start();
  return attempt;
}

}  // namespace atq::agent
