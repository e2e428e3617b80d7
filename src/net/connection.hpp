#pragma once
// Internal to the server and the client: a stream socket of any kind, with TLS on it or without,
// whose every wait has a deadline. Asio 1.74 cannot cancel one operation, so a deadline closes the
// socket.

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "src/net/lookup.hpp"
#include "src/net/task.hpp"

namespace atq::net {

class TlsContext;
class TlsStream;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Protocol = boost::asio::generic::stream_protocol;
  using Socket = Protocol::socket;
  using Milliseconds = std::chrono::milliseconds;

  explicit Connection(Socket socket);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// The IP addresses of a name, within the deadline. Errors as find_addresses().
  Task<Result<Addresses>> look_up(std::string host, FindAddresses find);
  /// Tries one endpoint after the other; each that is silent gets its share of `timeout`. NotFound:
  /// nobody listens on any. Timeout. Errors have what each endpoint said.
  Task<Result<void>> connect(std::vector<Protocol::endpoint> endpoints, Milliseconds timeout);
  /// Puts TLS on a connected socket. `host` is checked against the peer's certificate where the
  /// context names no other. Unauthorized: it is not trusted, or ours is not.
  Task<Result<void>> secure(std::shared_ptr<const TlsContext> context, std::string host);

  /// Bytes read, 0 at the end of the stream (on TLS: a regular one). Errors: Timeout, Canceled
  /// (closed by us), Unavailable (broken), Unauthorized (TLS 1.3 refuses a client after the
  /// handshake).
  Task<Result<size_t>> read(boost::asio::mutable_buffer buffer);
  Task<Result<void>> write(std::string_view bytes);

  /// From now on every wait ends at `timeout` from now, with Timeout.
  void set_deadline(Milliseconds timeout);
  void clear_deadline();

  /// Calls `callback` once when the peer closes; ends by itself when the peer sends something
  /// instead, and with stop_watching().
  void watch_peer(std::function<void()> callback);
  /// For a connection at rest: calls `callback` once when anything happens to it, be it bytes, its
  /// end or its deadline.
  void watch_rest(std::function<void()> callback);
  void stop_watching();
  /// Open, and nothing has come that nobody asked for.
  bool at_rest();

  /// Ends what waits, with Canceled.
  void close();
  /// Tells the peer that nothing more comes, and reads away what it still sends (else the kernel
  /// resets the connection and the peer may lose the answer), for at most `timeout` and 256 KiB.
  Task<void> linger(Milliseconds timeout);

  Socket& socket() noexcept { return socket_; }
  bool timed_out() const noexcept { return timed_out_; }

 private:
  Task<Result<void>> connect_one(Protocol::endpoint endpoint, Milliseconds timeout);
  /// `expired` runs when the deadline passes that was set last.
  void start_deadline(Milliseconds timeout, void (Connection::*expired)());
  void give_up();
  void give_up_endpoint();
  void start_watch(std::function<void()> callback, bool any_event);
  void on_event(uint64_t watch, bool any_event, const boost::system::error_code& code);
  Error describe(const boost::system::error_code& code, std::string_view what) const;

  Socket socket_;
  std::unique_ptr<TlsStream> tls_;
  std::shared_ptr<Lookup> lookup_;
  boost::asio::steady_timer deadline_;
  std::function<void()> watcher_;
  uint64_t deadline_number_ = 0;
  uint64_t watch_number_ = 0;
  bool timed_out_ = false;
  bool closed_ = false;
};

}  // namespace atq::net
