#pragma once
// The director's local API (docs/local-api.md) as calls that block. One thread.

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

/// Errors of every call: Unavailable with advice where no director listens; else the kind and
/// message that the director answered.
class ApiClient {
 public:
  /// `data`: the director's --data.
  explicit ApiClient(std::string data);

  /// "" = all namespaces.
  Result<ListedItems> list(const std::string& ns) const;
  Result<Item> get(const api::Key& key) const;
  Result<std::vector<EventLine>> events(const api::Key& key) const;
  Result<std::vector<SourceIssue>> issues() const;
  /// Gives the request's value ("4/Graceful").
  Result<std::string> stop(const api::Key& key, bool now) const;
  Result<std::string> rerun(const api::Key& key) const;
  Result<std::string> version() const;
  /// Until the output ends, or `sink` gives false (success too).
  Result<void> logs(const LogRequest& request, std::function<bool(std::string_view)> sink) const;
  /// Until `sink` gives false; an error when the director ends it.
  Result<void> watch(const std::string& ns, const std::string& from,
                     std::function<bool(const WatchedChange&)> sink) const;

  std::string socket() const;

 private:
  std::unexpected<Error> no_director() const;
  Result<std::string> ask(const std::string& method, const std::string& target,
                          const std::string& body = {}) const;
  Result<void> stream(const std::string& target, std::function<bool(std::string_view)> sink) const;

  std::string data_;
};

}  // namespace atq::cli
