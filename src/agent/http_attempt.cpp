// The try "http": one GET on a connection of its own.

#include <array>
#include <cerrno>
#include <sys/epoll.h>

#include "src/agent/http_answer.hpp"
#include "src/agent/socket_attempt.hpp"

namespace atq::agent {
namespace {

class HttpAttempt : public SocketAttempt {
 public:
  HttpAttempt(EventLoop& loop, const Check& check, AttemptDone done)
      : SocketAttempt(loop, check, SOCK_STREAM, std::move(done)) {
    const ProbeTarget& target = check.target;
    const bool six = target.host.find(':') != std::string::npos;
    const std::string host = six ? "[" + target.host + "]" : target.host;
    request_ = "GET " + (target.path.starts_with('/') ? "" : std::string("/")) + target.path +
               " HTTP/1.1\r\nHost: " + host + ":" + std::to_string(target.port) +
               "\r\nUser-Agent: atq-agent/" ATQ_VERSION
               "\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  }

 protected:
  void connected() override {
    loop_.watch(fd_.get(), EPOLLOUT, [this](uint32_t) { send_request(); });
  }

 private:
  void send_request() {
    const ssize_t count = ::send(fd_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) return finish(describe_socket_error(errno));
    request_.erase(0, static_cast<size_t>(count));
    if (request_.empty()) loop_.watch(fd_.get(), EPOLLIN, [this](uint32_t) { receive(); });
  }

  void receive() {
    std::array<char, 16'384> buffer;
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) return finish(describe_socket_error(errno));
    if (count == 0) {
      answer_.end_of_stream();
    } else {
      answer_.feed({buffer.data(), static_cast<size_t>(count)});
    }
    // Where only the status counts, the body need not be waited for.
    if (answer_.done() || (answer_.status() != 0 && !check_.expect)) judge();
  }

  void judge() {
    if (!answer_.problem().empty()) return finish(answer_.problem());
    const std::string problem = judge_http(check_, answer_.status(), answer_.body());
    finish(problem.empty() ? problem : "answered " + problem);
  }

  std::string request_;
  HttpAnswer answer_;
};

}  // namespace

std::unique_ptr<Attempt> start_http_attempt(EventLoop& loop, const Check& check, AttemptDone done) {
  auto attempt = std::make_unique<HttpAttempt>(loop, check, std::move(done));
  attempt->start();
  return attempt;
}

}  // namespace atq::agent
