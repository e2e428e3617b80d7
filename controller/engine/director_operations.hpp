#pragma once
// Operations of a running director, over its cache, store and runtimes.

#include <functional>

#include "controller/engine/controller.hpp"
#include "controller/engine/event_log.hpp"
#include "controller/engine/operations.hpp"

namespace atq::engine {

class DirectorOperations final : public Operations {
 public:
  /// All must outlive it. `health` is asked each time.
  DirectorOperations(Controller& controller, const EventLog& events,
                     std::function<Health()> health);

  Health health() const override { return health_(); }
  Listing list(const std::string& ns) const override;
  CachedTestPtr get(const api::Key& key) const override;
  std::vector<RecordedEvent> events(const std::string& uid) const override;
  std::vector<ports::SourceProblem> problems() const override;
  Result<std::vector<Change>> changes_since(uint64_t resource_version) const override;
  std::unique_ptr<Subscription> subscribe(std::function<void(const Change&)> callback) override;
  AsyncResult<ports::StoredTest> create(const api::LoadTest& test) override;
  AsyncResult<ports::StoredTest> replace(const api::LoadTest& test) override;
  AsyncResult<void> remove(const api::Key& key) override;
  AsyncResult<std::string> request_stop(const api::Key& key, bool now) override;
  AsyncResult<std::string> request_rerun(const api::Key& key) override;
  AsyncResult<void> stream_logs(const api::Key& key, int64_t run, const ports::LogOptions& options,
                                ports::Runtime::LogWriter write) override;
  std::string metrics() const override;

 private:
  AsyncResult<std::string> annotate(api::Key key, std::string name, std::string value);

  Controller& controller_;
  const EventLog& events_;
  std::function<Health()> health_;
  uint64_t requests_ = 0;
};

}  // namespace atq::engine
