#pragma once
// Internal to the server: the requests of one connection, one after the other.

#include <memory>
#include <optional>
#include <string>

#include "src/net/connection.hpp"
#include "src/net/server.hpp"

namespace atq::net {

class Session {
 public:
  Session(std::shared_ptr<Connection> connection, const Handler& handler,
          const ServerOptions& options);

  /// Until the client goes, errs or is told to go.
  Task<void> run();

  /// Ends an idle session at once and one with a request under way after its answer.
  void finish();
  /// Ends it now; the handler is told through its writer.
  void abort();

 private:
  class Writer;

  Task<std::optional<Request>> read_request();
  Task<bool> answer(Request request);
  Task<bool> send(const Request& request, Response response);
  Task<void> refuse(BadMessage problem);

  std::shared_ptr<Connection> connection_;
  const Handler& handler_;
  const ServerOptions& options_;
  std::string buffer_;  ///< read and not yet consumed; may hold the next request
  Writer* writer_ = nullptr;
  bool busy_ = false;
  bool finishing_ = false;
};

/// The answer to a request that could not be read.
Response make_error_response(const ServerOptions& options, int status, const std::string& message);

}  // namespace atq::net
