#pragma once
// Internal to Connection: the client's side of TLS on a connected socket. OpenSSL stands in
// tls_stream.cpp and tls.cpp alone.

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include "src/net/task.hpp"
#include "src/net/tls.hpp"

namespace atq::net {

class TlsStream {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  /// `socket` must outlive it. `host` is checked, and sent as SNI where it is no IP address, unless
  /// the context has another name.
  static Result<std::unique_ptr<TlsStream>> make(Socket& socket,
                                                 std::shared_ptr<const TlsContext> context,
                                                 const std::string& host);
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  ~TlsStream();

  /// Asio's error codes: eof is a regular end (close_notify), stream_truncated one without it.
  Task<void> handshake(boost::system::error_code& code);
  Task<size_t> read(boost::asio::mutable_buffer buffer, boost::system::error_code& code);
  Task<void> write(boost::asio::const_buffer buffer, boost::system::error_code& code);

  /// Bytes have come that nobody has read, or the peer has said that it ends.
  bool has_more() const;
  /// What an error of TLS means; nullopt where it is the socket's.
  std::optional<Error> explain(const boost::system::error_code& code) const;

 private:
  struct Impl;
  explicit TlsStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::net
