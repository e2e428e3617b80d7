#pragma once
// LoadTests of a cluster, read and asked for through its API server, as `kubectl` would: no
// director has to be reached.

#include <memory>

#include <boost/asio/io_context.hpp>

#include "src/cli/api_client.hpp"
#include "src/kube/connection.hpp"

namespace atq::cli {

class KubeApiClient final : public ApiClient {
 public:
  KubeApiClient(std::shared_ptr<boost::asio::io_context> loop, kube::Connection connection);
  ~KubeApiClient() override;

  Result<ListedItems> list(const std::string& ns) override;
  Result<Item> get(const api::Key& key) override;
  Result<std::vector<EventLine>> events(const api::LoadTest& test) override;
  /// None: what the API server stores it has also checked.
  Result<std::vector<SourceIssue>> issues() override;
  Result<std::string> stop(const api::Key& key, bool now) override;
  Result<std::string> rerun(const api::Key& key) override;
  Result<void> logs(const LogRequest& request, std::function<bool(std::string_view)> sink) override;
  /// Goes on over ends and expired histories (then every LoadTest is told once more); an error only
  /// where the server refuses or cannot be reached for a minute.
  Result<void> watch(const std::string& ns, const std::string& from,
                     std::function<bool(const WatchedChange&)> sink) override;
  std::string server() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::cli
