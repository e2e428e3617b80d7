#include "src/agent/start_request.hpp"

#include <array>
#include <cerrno>
#include <sys/epoll.h>

#include "src/agent/expectation.hpp"
#include "src/agent/http_request.hpp"
#include "src/agent/protocol.hpp"
#include "src/agent/socket_attempt.hpp"

namespace atq::agent {
namespace {

constexpr std::chrono::milliseconds kRetryAfter(50);

std::string name_of(const HostPort& target) {
  const bool six = target.host.find(':') != std::string::npos;
  return (six ? "[" + target.host + "]" : target.host) + ":" + std::to_string(target.port);
}

}  // namespace

StartRequest::StartRequest(EventLoop& loop, HostPort target, const std::string& token,
                           std::function<void()> changed)
    : loop_(loop),
      target_(std::move(target)),
      name_(name_of(target_)),
      request_("POST /start?token=" + percent_encode(token) + " HTTP/1.1\r\nHost: " + name_ +
               "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
      changed_(std::move(changed)) {}

StartRequest::~StartRequest() { close(); }

void StartRequest::close() {
  loop_.cancel(retry_);
  if (fd_) loop_.unwatch(fd_.get());
  fd_.reset();
  resolution_.reset();
}

void StartRequest::connect() {
  state_ = State::Connecting;
  answer_ = {};
  written_ = 0;
  if (const auto address = numeric_address(target_.host, target_.port)) return connect_to(*address);
  resolution_ = resolve_name(loop_, target_.host, [this](Result<std::vector<std::string>> found) {
    if (!found) return try_again(found.error().message);
    connect_to(numeric_address(found->front(), target_.port).value());
  });
}

void StartRequest::connect_to(const SocketAddress& address) {
  auto fd = begin_connect(address, SOCK_STREAM);
  if (!fd) return try_again(fd.error().message);
  fd_ = *std::move(fd);
  loop_.watch(fd_.get(), EPOLLOUT, [this](uint32_t) { connection_stands(); });
}

void StartRequest::connection_stands() {
  const int outcome = connect_outcome(fd_.get());
  if (outcome != 0) return try_again(describe_socket_error(outcome));
  state_ = State::Connected;
  problem_.clear();
  loop_.watch(fd_.get(), EPOLLIN, [this](uint32_t) { lost_while_waiting(); });
  if (released_) send();
  changed_();
}

/// Nothing is said before the request: whatever can be read is the other side's end.
void StartRequest::lost_while_waiting() { try_again("closed before it was asked to start"); }

void StartRequest::send() {
  released_ = true;
  state_ = State::Sent;
  write_request();
}

void StartRequest::write_request() {
  const ssize_t count =
      ::send(fd_.get(), request_.data() + written_, request_.size() - written_, MSG_NOSIGNAL);
  if (count < 0 && errno != EAGAIN && errno != EINTR) {
    return try_again(describe_socket_error(errno));
  }
  if (count > 0) written_ += static_cast<size_t>(count);
  if (written_ == request_.size()) {
    loop_.watch(fd_.get(), EPOLLIN, [this](uint32_t) { read_answer(); });
  } else {
    loop_.watch(fd_.get(), EPOLLOUT, [this](uint32_t) { write_request(); });
  }
}

void StartRequest::read_answer() {
  std::array<char, 4096> buffer;
  const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return try_again(describe_socket_error(errno));
  if (count == 0) {
    answer_.end_of_stream();
  } else {
    answer_.feed({buffer.data(), static_cast<size_t>(count)});
  }
  if (answer_.done()) judge();
}

void StartRequest::judge() {
  if (!answer_.problem().empty()) return try_again(answer_.problem());
  if (answer_.status() != 200) {
    return settle("answered http " + std::to_string(answer_.status()) + ": " +
                  last_line(answer_.body()));
  }
  const auto answer = decode_start_answer(answer_.body());
  if (!answer) return settle("its answer cannot be understood: " + answer.error().message);
  started_at_us_ = answer->started_at_us;
  settle({});
}

void StartRequest::settle(std::string problem) {
  close();
  state_ = State::Settled;
  problem_ = problem.empty() ? std::string{} : name_ + " " + problem;
  changed_();
}

void StartRequest::try_again(const std::string& problem) {
  if (fd_) loop_.unwatch(fd_.get());
  fd_.reset();
  state_ = State::Idle;
  problem_ = name_ + " " + problem;
  loop_.cancel(retry_);
  retry_ = loop_.after(kRetryAfter, [this] { connect(); });
  changed_();
}

}  // namespace atq::agent
