#pragma once
// A small HTTP/1.1 server over TCP and unix sockets, made for hostile input: header, body, time and
// number of connections are bounded. Everything runs on the executor given, which must not be
// entered by two threads at once.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>

#include "src/net/http.hpp"
#include "src/net/message_reader.hpp"
#include "src/net/task.hpp"

namespace atq::net {

/// The body of a response that is sent while it comes into being (chunked). Belongs to the server;
/// valid until the handler returns.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  /// Sends the head: from here on the handler's Response is not sent any more. False: the client is
  /// gone.
  virtual Task<bool> begin(Response head) = 0;
  /// Sends a piece and waits until the system has taken it; begins with 200 and text/plain if
  /// begin() was not called. False: the client is gone or the server stops; return soon then. An
  /// empty piece asks just that.
  virtual Task<bool> write(std::string_view piece) = 0;
  virtual bool begun() const = 0;
  /// Called once, when the client goes or the server stops while the handler runs (at once if that
  /// has happened), so that a handler which waits for something else can end. Replaces an earlier
  /// callback. It must not throw and must not touch the writer.
  virtual void on_close(std::function<void()> callback) = 0;
};

/// Answers a request. Where the writer has begun, a returned status of 400 and more means that the
/// body is incomplete: the connection is then cut without an end mark, which clients notice. An
/// exception gives 500.
using Handler = std::function<Task<Response>(Request, BodyWriter&)>;

struct ServerOptions {
  MessageLimits limits;
  size_t max_connections = 256;                      ///< beyond: 503 and close
  std::chrono::milliseconds header_timeout{10'000};  ///< from the first byte to the empty line
  std::chrono::milliseconds body_timeout{30'000};    ///< from the empty line to the last byte
  std::chrono::milliseconds idle_timeout{60'000};    ///< before and between requests
  std::chrono::milliseconds write_timeout{30'000};  ///< of one piece, to a client that reads slowly
  /// Told of what is the server's fault (an exception of a handler, no more descriptors).
  std::function<void(const std::string&)> on_error = [](const std::string&) {};
  /// The answer to a request that could not be read.
  std::function<Response(int status, const std::string& message)> error_response;
};

class Server {
 public:
  Server(boost::asio::any_io_executor executor, Handler handler, ServerOptions options = {});
  /// Closes what is open; waits for nothing. Call stop() first.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Port 0: any free one. Gives the port bound. Errors name host and port.
  Result<uint16_t> listen_tcp(const std::string& host, uint16_t port);
  /// Mode 0600; a stale socket is replaced; Conflict where somebody listens. stop() removes it.
  Result<void> listen_unix(const std::filesystem::path& path);

  /// Accepts no more, closes idle connections, gives requests under way `grace` to be answered,
  /// then closes those too. Returns when every handler has returned.
  Task<void> stop(std::chrono::milliseconds grace);

  size_t connections() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace atq::net
