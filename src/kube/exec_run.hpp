#pragma once
// Runs a program and takes what it prints, without a shell and without blocking the event loop.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "src/net/task.hpp"

namespace atq::kube {

struct ExecCommand {
  std::string program;  ///< looked up in PATH where it has no slash
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  ///< "NAME=value", the whole of it
  std::chrono::milliseconds timeout{60'000};
  size_t max_output = size_t{1} << 20;
};

/// One run. The program gets /dev/null as stdin, our stderr, no other descriptor, and a process
/// group of its own, which is killed as a whole at the end of the time and by stop().
class ExecRun {
 public:
  ExecRun(boost::asio::any_io_executor executor, ExecCommand command);
  ~ExecRun();  ///< run() must have ended
  ExecRun(const ExecRun&) = delete;
  ExecRun& operator=(const ExecRun&) = delete;

  /// Its stdout, when it has ended with 0. Errors: NotFound and Forbidden where it cannot be
  /// started; Timeout; Invalid: printed too much; Canceled; Unavailable: ended otherwise. Never a
  /// word of its output.
  net::Task<Result<std::string>> run();
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace atq::kube
