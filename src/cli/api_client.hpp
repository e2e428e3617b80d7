#pragma once
// What `atq` asks of LoadTests elsewhere, as calls that block: of a director on this machine
// (local_api_client.hpp) or of a cluster's API server (kube_api_client.hpp). One thread.

#include <functional>
#include <string>
#include <vector>

#include "src/base/error.hpp"
#include "src/cli/render_describe.hpp"
#include "src/cli/render_table.hpp"

namespace atq::cli {

struct ListedItems {
  std::string resource_version;
  std::vector<Item> items;
};

struct LogRequest {
  api::Key key;
  bool master = false;
  int worker = 0;
  bool follow = false;
  int64_t tail = 0;
  int64_t run = 0;
};

/// One line of the watch. A deleted object has its name and namespace alone.
struct WatchedChange {
  bool deleted = false;
  Item item;
};

/// Errors of every call: Unavailable with advice where nobody answers; else the kind and message of
/// who answered.
class ApiClient {
 public:
  virtual ~ApiClient() = default;

  /// "" = all namespaces.
  virtual Result<ListedItems> list(const std::string& ns) = 0;
  virtual Result<Item> get(const api::Key& key) = 0;
  /// Of the LoadTest that get() gave.
  virtual Result<std::vector<EventLine>> events(const api::LoadTest& test) = 0;
  virtual Result<std::vector<SourceIssue>> issues() = 0;
  /// Gives the request's value ("4/Graceful").
  virtual Result<std::string> stop(const api::Key& key, bool now) = 0;
  virtual Result<std::string> rerun(const api::Key& key) = 0;
  /// Until the output ends, or `sink` gives false (success too).
  virtual Result<void> logs(const LogRequest& request,
                            std::function<bool(std::string_view)> sink) = 0;
  /// Until `sink` gives false; an error when the other side ends it.
  virtual Result<void> watch(const std::string& ns, const std::string& from,
                             std::function<bool(const WatchedChange&)> sink) = 0;
  /// What is spoken to, its version and where it is: "atq-director 0.1.0 (./data/atq.sock)". A line
  /// that says so where it cannot be reached.
  virtual std::string server() = 0;
};

}  // namespace atq::cli
