#pragma once
// The director's local API (docs/local-api.md).

#include "src/cli/api_client.hpp"

namespace atq::cli {

class LocalApiClient final : public ApiClient {
 public:
  /// `data`: the director's --data.
  explicit LocalApiClient(std::string data);

  Result<ListedItems> list(const std::string& ns) override;
  Result<Item> get(const api::Key& key) override;
  Result<std::vector<EventLine>> events(const api::LoadTest& test) override;
  Result<std::vector<SourceIssue>> issues() override;
  Result<std::string> stop(const api::Key& key, bool now) override;
  Result<std::string> rerun(const api::Key& key) override;
  Result<void> logs(const LogRequest& request, std::function<bool(std::string_view)> sink) override;
  Result<void> watch(const std::string& ns, const std::string& from,
                     std::function<bool(const WatchedChange&)> sink) override;
  std::string server() override;

 private:
  std::string socket() const;
  std::unexpected<Error> no_director() const;
  Result<std::string> ask(const std::string& method, const std::string& target,
                          const std::string& body = {}) const;
  Result<void> stream(const std::string& target, std::function<bool(std::string_view)> sink) const;

  std::string data_;
};

}  // namespace atq::cli
