#pragma once
// Internal to the server and the client: a stream socket of any kind whose every wait has a
// deadline. Asio 1.74 cannot cancel one operation, so a deadline closes the socket.

#include <chrono>
#include <memory>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "src/net/task.hpp"

namespace atq::net {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Milliseconds = std::chrono::milliseconds;

  explicit Connection(Socket socket);

  /// NotFound: nobody listens. Timeout.
  Task<Result<void>> connect(boost::asio::generic::stream_protocol::endpoint endpoint,
                             Milliseconds timeout);
  /// Bytes read, 0 at the end of the stream. Errors: Timeout, Canceled (closed by us), Unavailable
  /// (broken).
  Task<Result<size_t>> read(boost::asio::mutable_buffer buffer);
  Task<Result<void>> write(std::string_view bytes);

  /// From now on every wait ends at `timeout` from now, with Timeout.
  void set_deadline(Milliseconds timeout);
  void clear_deadline();

  /// Calls `callback` once when the peer closes; ends by itself when the peer sends something
  /// instead, and with stop_watching().
  void watch_peer(std::function<void()> callback);
  void stop_watching();

  /// Ends what waits, with Canceled.
  void close();
  /// Tells the peer that nothing more comes, and reads away what it still sends (else the kernel
  /// resets the connection and the peer may lose the answer), for at most `timeout` and 256 KiB.
  Task<void> linger(Milliseconds timeout);

  Socket& socket() noexcept { return socket_; }
  bool timed_out() const noexcept { return timed_out_; }

 private:
  void on_readable(uint64_t watch);
  Error describe(const boost::system::error_code& code, std::string_view what) const;

  Socket socket_;
  boost::asio::steady_timer deadline_;
  std::function<void()> peer_closed_;
  uint64_t deadline_number_ = 0;
  uint64_t watch_number_ = 0;
  bool timed_out_ = false;
  bool closed_ = false;
};

}  // namespace atq::net
