#include "src/agent/socket_attempt.hpp"

#include <cerrno>
#include <sys/epoll.h>
#include <utility>

#include "src/base/time.hpp"

namespace atq::agent {

SocketAttempt::SocketAttempt(EventLoop& loop, const Check& check, int type, AttemptDone done)
    : loop_(loop), check_(check), type_(type), done_(std::move(done)) {}

SocketAttempt::~SocketAttempt() {
  loop_.cancel(timeout_);
  loop_.cancel(soon_);
  if (fd_) loop_.unwatch(fd_.get());
}

void SocketAttempt::start() {
  const std::chrono::milliseconds limit(check_.target.timeout_ms);
  timeout_ = loop_.after(limit, [this] { timed_out(); });
  soon_ = loop_.after(std::chrono::milliseconds(0), [this] { resolve(); });
}

void SocketAttempt::resolve() {
  if (const auto address = numeric_address(check_.target.host, check_.target.port)) {
    return connect(*address);
  }
  resolution_ =
      resolve_name(loop_, check_.target.host, [this](Result<std::vector<std::string>> found) {
        if (!found) return finish(found.error().message);
        connect(numeric_address(found->front(), check_.target.port).value());
      });
}

void SocketAttempt::connect(const SocketAddress& address) {
  auto fd = begin_connect(address, type_);
  if (!fd) return finish(fd.error().message);
  fd_ = *std::move(fd);
  loop_.watch(fd_.get(), EPOLLOUT, [this](uint32_t) {
    const int outcome = connect_outcome(fd_.get());
    if (outcome != 0) return finish(describe_socket_error(outcome));
    loop_.unwatch(fd_.get());
    connected();
  });
}

void SocketAttempt::timed_out() {
  finish("timed out after " + to_human(std::chrono::milliseconds(check_.target.timeout_ms)));
}

void SocketAttempt::finish(const std::string& problem) {
  loop_.cancel(timeout_);
  if (fd_) loop_.unwatch(fd_.get());
  fd_.reset();
  const AttemptDone done = std::exchange(done_, nullptr);
  const std::string error = problem.empty() ? problem : describe(check_.target) + " " + problem;
  if (done) done(error);
}

std::string describe_socket_error(int error_number) {
  if (error_number == ECONNREFUSED) return "refused";
  if (error_number == ECONNRESET) return "reset by the other side";
  return from_errno(error_number, "failed").message;
}

std::unique_ptr<Attempt> start_attempt(EventLoop& loop, const Check& check, AttemptDone done) {
  const std::string& kind = check.target.kind;
  if (kind == "exec") return start_exec_attempt(loop, check, std::move(done));
  if (kind == "http") return start_http_attempt(loop, check, std::move(done));
  if (kind == "udp") return start_udp_attempt(loop, check, std::move(done));
  return start_tcp_attempt(loop, check, std::move(done));
}

}  // namespace atq::agent
