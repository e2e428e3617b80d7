#pragma once
// An HttpClient on a thread of its own, and what it says to a ScriptedServer.

#include <filesystem>

#include "src/net/http_client.hpp"
#include "tests/unit/net/net_fixture.hpp"
#include "tests/unit/net/scripted_server.hpp"

namespace atq::net::test {

inline Request get() { return {.method = "GET", .target = "/a"}; }

inline const Authority& test_authority() {
  static const Authority authority;
  return authority;
}
inline ServerTls test_tls() { return {test_authority().issue()}; }
inline std::shared_ptr<const TlsContext> trusting() {
  return *make_tls_context({.ca_pem = test_authority().pem()});
}

class ClientUnderTest {
 public:
  explicit ClientUnderTest(Endpoint endpoint, PoolOptions options = {}) {
    loop_.call([&] {
      client_.emplace(loop_.context().get_executor(), std::move(endpoint), std::move(options));
      return true;
    });
  }
  ClientUnderTest(const ScriptedServer& server, bool tls, PoolOptions options = {})
      : ClientUnderTest({.port = server.port(), .tls = tls ? trusting() : nullptr},
                        std::move(options)) {}
  ~ClientUnderTest() {
    loop_.call([&] {
      client_.reset();
      return true;
    });
  }

  Result<Answer> fetch(Request request = get(), ClientOptions options = {}) {
    return start(std::move(request), options).get();
  }
  Result<Answer> stream(BodySink sink, ClientOptions options = {}) {
    return loop_.run(client_->stream(get(), std::move(sink), options));
  }
  std::future<Result<Answer>> start(Request request = get(), ClientOptions options = {}) {
    return boost::asio::co_spawn(loop_.context(), client_->fetch(std::move(request), options),
                                 boost::asio::use_future);
  }
  void stop() {
    loop_.call([&] {
      client_->stop();
      return true;
    });
  }
  void set_endpoint(const Endpoint& endpoint) {
    loop_.call([&] {
      client_->set_endpoint(endpoint);
      return true;
    });
  }
  size_t idle() {
    return loop_.call([&] { return client_->idle_connections(); });
  }

 private:
  Loop loop_;
  std::optional<HttpClient> client_;
};

/// A listener on `address` whose queue is full: who connects there hears nothing. Port 0: any.
class SilentListener {
 public:
  explicit SilentListener(const std::string& address, uint16_t port = 0) {
    to_.sin_family = AF_INET;
    to_.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &to_.sin_addr);
    socklen_t size = sizeof to_;
    EXPECT_EQ(::bind(listener_, generic(), size), 0);
    EXPECT_EQ(::listen(listener_, 0), 0);
    EXPECT_EQ(::getsockname(listener_, generic(), &size), 0);
    for (const int filler : fillers_) {
      ::connect(filler, generic(), size);
    }
  }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;
  ~SilentListener() {
    ::close(listener_);
    for (const int filler : fillers_) {
      ::close(filler);
    }
  }
  uint16_t port() const { return ntohs(to_.sin_port); }

 private:
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&to_); }
  static int make(int flags) { return ::socket(AF_INET, SOCK_STREAM | flags, 0); }

  sockaddr_in to_{};
  int listener_ = make(0);
  int fillers_[3] = {make(SOCK_NONBLOCK), make(SOCK_NONBLOCK), make(SOCK_NONBLOCK)};
};

/// Whether what is meant is said, and as what.
inline void expect_error(const Result<Answer>& answer, ErrorKind kind,
                         std::string_view words = {}) {
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, kind) << answer.error().message;
  EXPECT_NE(answer.error().message.find(words), std::string::npos) << answer.error().message;
}

inline size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

}  // namespace atq::net::test
