#pragma once
// Internal to the client: the IP addresses of a host name, without blocking the loop and without
// waiting for a name server that does not answer (docs/adr/0008).

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "src/net/task.hpp"

namespace atq::net {

using Addresses = std::vector<std::string>;  ///< IPv4 and IPv6 as text, best first
/// Blocks; called on a thread of its own, which may outlive who asked.
using FindAddresses = std::function<Result<Addresses>(const std::string& host)>;

/// The system's answer (getaddrinfo(3): /etc/hosts, DNS, whatever nsswitch.conf says). NotFound: no
/// such name; Unavailable: no name server answered.
Result<Addresses> find_addresses(const std::string& host);

/// One question. Used on one executor; destroying it or the executor's context abandons the thread,
/// which then ends by itself when the system answers.
class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  explicit Lookup(const boost::asio::any_io_executor& executor);
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup();

  /// Once. Canceled after cancel(); Unavailable where too many questions are still unanswered, else
  /// what `find` gives. Has no deadline of its own.
  Task<Result<Addresses>> run(std::string host, FindAddresses find);
  void cancel();

 private:
  struct Mailbox;
  void finish(Result<Addresses> found);

  boost::asio::steady_timer done_;
  std::shared_ptr<Mailbox> mailbox_;
  Result<Addresses> found_ = fail(ErrorKind::Canceled, "stopped");
  bool finished_ = false;
};

}  // namespace atq::net
