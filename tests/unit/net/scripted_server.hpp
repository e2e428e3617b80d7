#pragma once
// A server on blocking sockets, with TLS or without, that does to each connection what a test says:
// also what no server should.

#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/unit/net/tls_fixture.hpp"

namespace atq::net::test {

/// One connection, seen from the server.
class Peer {
 public:
  Peer(int socket, SSL_CTX* context) : socket_(socket) {
    if (context != nullptr) {
      ssl_.reset(SSL_new(context));
      SSL_set_fd(ssl_.get(), socket);
    }
  }
  /// False: the client did not like us, or we not it.
  bool accept() { return !ssl_ || SSL_accept(ssl_.get()) == 1; }

  /// One request, its body by Content-Length; "" where the client has gone.
  std::string read_request() {
    size_t end = std::string::npos;
    while ((end = held_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_some()) return {};
    }
    const size_t at = held_.find("Content-Length: ");
    const size_t body = at < end ? std::stoul(held_.substr(at + 16)) : 0;
    const size_t size = end + 4 + body;
    while (held_.size() < size) {
      if (!read_some()) return {};
    }
    std::string out = held_.substr(0, size);
    held_.erase(0, size);
    return out;
  }
  /// Until the client goes.
  void wait_for_end() {
    while (read_some()) held_.clear();
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto size = static_cast<int>(bytes.size());
      const auto sent = ssl_ ? SSL_write(ssl_.get(), bytes.data(), size)
                             : static_cast<int>(::send(socket_, bytes.data(), bytes.size(), 0));
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  /// A regular end: TLS says so, then the connection is closed when the script returns.
  void end() {
    if (ssl_) SSL_shutdown(ssl_.get());
    ::shutdown(socket_, SHUT_WR);
  }
  /// The connection is reset when the script returns.
  void reset() const {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  std::string sni() const {
    const char* const name =
        ssl_ ? SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name) : nullptr;
    return name == nullptr ? "" : name;
  }
  int socket() const { return socket_; }

 private:
  bool read_some() {
    char piece[16384];
    const auto size = ssl_ ? SSL_read(ssl_.get(), piece, sizeof piece)
                           : static_cast<int>(::recv(socket_, piece, sizeof piece, 0));
    if (size > 0) held_.append(piece, static_cast<size_t>(size));
    return size > 0;
  }

  int socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, &SSL_free};
  std::string held_;
};

using Script = std::function<void(Peer&)>;

struct ServerTls {
  Identity identity;
  std::string client_ca;  ///< not empty: asks for a certificate and requires one of it
  int max_version = TLS1_3_VERSION;
};

class ScriptedServer {
 public:
  explicit ScriptedServer(Script script, std::optional<ServerTls> tls = {},
                          const std::string& address = "127.0.0.1")
      : script_(std::move(script)) {
    std::signal(SIGPIPE, SIG_IGN);
    if (tls) set_up(*tls);
    const bool six = address.find(':') != std::string::npos;
    listener_ = ::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 to6{};
    sockaddr_in to4{};
    to6.sin6_family = AF_INET6;
    to4.sin_family = AF_INET;
    ::inet_pton(AF_INET6, address.c_str(), &to6.sin6_addr);
    ::inet_pton(AF_INET, address.c_str(), &to4.sin_addr);
    auto* const to = six ? reinterpret_cast<sockaddr*>(&to6) : reinterpret_cast<sockaddr*>(&to4);
    socklen_t size = six ? sizeof to6 : sizeof to4;
    works_ = ::bind(listener_, to, size) == 0 && ::listen(listener_, 128) == 0 &&
             ::getsockname(listener_, to, &size) == 0;
    port_ = ntohs(six ? to6.sin6_port : to4.sin_port);
    thread_ = std::thread([this] { accept(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int socket : open_) ::shutdown(socket, SHUT_RDWR);
    }
    for (std::thread& worker : workers_) worker.join();
    ::close(listener_);
  }

  /// False: the machine lacks the address (no IPv6).
  bool works() const { return works_; }
  uint16_t port() const { return port_; }
  int connections() const { return connections_; }
  /// Connections that a script runs for.
  size_t open() {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }

 private:
  void set_up(const ServerTls& tls) {
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_max_proto_version(context_.get(), tls.max_version);
    if (tls.max_version < TLS1_2_VERSION) {
      SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
      SSL_CTX_set_cipher_list(context_.get(), "DEFAULT@SECLEVEL=0");
    }
    const auto text = [](const std::string& pem) {
      return std::unique_ptr<BIO, decltype(&BIO_free)>(
          BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
    };
    const auto certificate = text(tls.identity.cert_pem);
    const auto key = text(tls.identity.key_pem);
    X509* const own = PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr);
    EVP_PKEY* const secret = PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr);
    EXPECT_EQ(SSL_CTX_use_certificate(context_.get(), own), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context_.get(), secret), 1);
    X509_free(own);
    EVP_PKEY_free(secret);
    if (!tls.client_ca.empty()) {
      const auto authority = text(tls.client_ca);
      X509* const root = PEM_read_bio_X509(authority.get(), nullptr, nullptr, nullptr);
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), root);
      X509_free(root);
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                         nullptr);
    }
  }

  void accept() {
    while (true) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      const int on = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ++connections_;
      const std::lock_guard lock(mutex_);
      const auto place = open_.insert(open_.end(), socket);
      workers_.emplace_back([this, place] { serve(place); });
    }
  }
  void serve(std::list<int>::iterator place) {
    const int socket = *place;
    {
      Peer peer(socket, context_.get());
      if (peer.accept()) script_(peer);
    }
    const std::lock_guard lock(mutex_);
    open_.erase(place);
    ::close(socket);
  }

  Script script_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  int listener_ = -1;
  bool works_ = false;
  uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  std::list<int> open_;
  std::list<std::thread> workers_;
  std::thread thread_;
};

/// Answers every request of a connection with the same bytes.
inline Script always(std::string bytes) {
  return [bytes = std::move(bytes)](Peer& peer) {
    while (!peer.read_request().empty() && peer.send(bytes)) {
    }
  };
}

/// Answers one request with these bytes and ends the connection regularly.
inline Script once(std::string bytes) {
  return [bytes = std::move(bytes)](Peer& peer) {
    if (!peer.read_request().empty() && peer.send(bytes)) peer.end();
  };
}

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace atq::net::test
