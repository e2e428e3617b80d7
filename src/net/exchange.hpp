#pragma once
// Internal to the client: one request and its answer over an open connection. The only place that
// writes requests and reads answers.

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "src/net/client.hpp"
#include "src/net/connection.hpp"
#include "src/net/message_reader.hpp"

namespace atq::net {

class Exchange {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// All are kept by reference until run() has ended. `until`: no wait lasts longer.
  Exchange(Connection& connection, const BodySink& sink, const ClientOptions& options,
           std::optional<TimePoint> until);

  /// `to_head`: the request is a HEAD. Errors as of net::fetch().
  Task<Result<Answer>> run(const std::string& request, bool to_head);

  /// After run(): the answer is whole and the connection may carry another request.
  bool reusable() const noexcept { return reusable_; }
  /// After run(): not a byte of an answer has come.
  bool untouched() const noexcept { return untouched_; }

 private:
  Result<bool> advance();
  Result<void> take_over();
  Task<Result<void>> read_more();
  void set_deadline(std::chrono::milliseconds timeout);

  Connection& connection_;
  const BodySink& sink_;
  const ClientOptions& options_;
  std::optional<TimePoint> until_;
  std::optional<ResponseReader> reader_;
  std::array<char, 16 * 1024> piece_;
  std::string buffer_;  ///< read and not yet consumed
  Answer answer_;
  int interim_ = 0;  ///< 1xx answers so far
  bool to_head_ = false;
  bool reusable_ = false;
  bool untouched_ = true;
};

}  // namespace atq::net
