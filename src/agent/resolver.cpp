#include "src/agent/resolver.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <optional>
#include <set>
#include <sys/epoll.h>
#include <utility>

#include <ares.h>

namespace atq::agent {
namespace {

using Addresses = std::vector<std::string>;

Addresses to_addresses(const ares_addrinfo* list) {
  Addresses four, six;
  char text[INET6_ADDRSTRLEN];
  for (const ares_addrinfo_node* node = list->nodes; node != nullptr; node = node->ai_next) {
    if (node->ai_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(node->ai_addr);
      four.emplace_back(::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text));
    } else if (node->ai_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(node->ai_addr);
      six.emplace_back(::inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text));
    }
  }
  four.insert(four.end(), six.begin(), six.end());
  return four;
}

class AresResolution : public Resolution {
 public:
  AresResolution(EventLoop& loop, std::string name, std::function<void(Result<Addresses>)> done)
      : loop_(loop), name_(std::move(name)), done_(std::move(done)) {
    soon_ = loop_.after(std::chrono::milliseconds(0), [this] { begin(); });
  }
  ~AresResolution() override {
    done_ = nullptr;
    loop_.cancel(soon_);
    loop_.cancel(tick_);
    if (channel_ != nullptr) ares_destroy(channel_);
    for (const int fd : sockets_) loop_.unwatch(fd);
  }

 private:
  void begin() {
    ares_options options{};
    options.sock_state_cb = &AresResolution::on_socket;
    options.sock_state_cb_data = this;
    const int status = ares_init_options(&channel_, &options, ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) return finish_with(status);
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_, name_.c_str(), nullptr, &hints, &AresResolution::on_answer, this);
    settle();
  }

  // c-ares forbids destroying the channel from its callbacks: they only note what came.
  void settle() {
    if (result_) {
      const auto done = std::exchange(done_, nullptr);
      if (done) done(*std::exchange(result_, std::nullopt));
      return;
    }
    timeval most{1, 0}, wait{};
    ares_timeout(channel_, &most, &wait);
    const std::chrono::milliseconds delay(wait.tv_sec * 1000 + wait.tv_usec / 1000 + 1);
    loop_.cancel(tick_);
    tick_ = loop_.after(delay, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); });
  }

  void process(ares_socket_t readable, ares_socket_t writable) {
    ares_process_fd(channel_, readable, writable);
    settle();
  }

  void finish_with(int status) {
    result_ = fail(ErrorKind::NotFound,
                   "name cannot be resolved: " + name_ + ": " + ares_strerror(status));
    settle();
  }

  static void on_socket(void* self, ares_socket_t fd, int readable, int writable) {
    auto& resolution = *static_cast<AresResolution*>(self);
    resolution.loop_.unwatch(fd);
    resolution.sockets_.erase(fd);
    if (readable == 0 && writable == 0) return;
    const uint32_t events =
        (readable != 0 ? uint32_t{EPOLLIN} : 0U) | (writable != 0 ? uint32_t{EPOLLOUT} : 0U);
    resolution.sockets_.insert(fd);
    resolution.loop_.watch(fd, events, [&resolution, fd](uint32_t ready) {
      const bool in = (ready & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
      resolution.process(in ? fd : ARES_SOCKET_BAD, (ready & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
    });
  }

  static void on_answer(void* self, int status, int, ares_addrinfo* list) {
    auto& resolution = *static_cast<AresResolution*>(self);
    if (status == ARES_EDESTRUCTION) return;
    Addresses addresses = list == nullptr ? Addresses{} : to_addresses(list);
    if (list != nullptr) ares_freeaddrinfo(list);
    if (addresses.empty()) {
      resolution.result_ =
          fail(ErrorKind::NotFound,
               "name cannot be resolved: " + resolution.name_ + ": " + ares_strerror(status));
    } else {
      resolution.result_ = std::move(addresses);
    }
  }

  EventLoop& loop_;
  std::string name_;
  std::function<void(Result<Addresses>)> done_;
  ares_channel channel_ = nullptr;
  std::set<int> sockets_;
  std::optional<Result<Addresses>> result_;
  EventLoop::Timer soon_, tick_;
};

}  // namespace

std::unique_ptr<Resolution> resolve_name(
    EventLoop& loop, const std::string& name,
    std::function<void(Result<std::vector<std::string>>)> done) {
  return std::make_unique<AresResolution>(loop, name, std::move(done));
}

}  // namespace atq::agent
