#pragma once
// Operations over a map, for the tests of what stands on them. One thread, like the real ones.

#include <atomic>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "controller/engine/operations.hpp"

namespace atq::fakes {

class FakeOperations : public engine::Operations {
 public:
  using Callback = std::function<void(const engine::Change&)>;

  /// Adds or replaces an object and tells the subscribers.
  void put(api::LoadTest test, std::vector<api::Problem> problems = {}) {
    const api::Key key = api::key_of(test);
    const auto type =
        tests_.contains(key) ? engine::ChangeType::Modified : engine::ChangeType::Added;
    const std::string uid = test.metadata.uid;
    tests_[key] = std::make_shared<const engine::CachedTest>(
        ports::StoredTest{std::move(test), std::move(problems)}, ++version_);
    tell({type, version_, key, uid});
  }
  void erase(const api::Key& key) {
    const std::string uid = tests_.at(key)->uid();
    tests_.erase(key);
    tell({engine::ChangeType::Deleted, ++version_, key, uid});
  }

  mutable std::atomic<int> lists = 0;  ///< how often the list was asked for

  engine::Health health() const override {
    return {.leading = true, .synced = true, .running = true, .holder = "fake"};
  }
  engine::Listing list(const std::string& ns) const override {
    ++lists;
    engine::Listing out{version_, {}};
    for (const auto& [key, test] : tests_) {
      if (ns.empty() || key.ns == ns) {
        out.items.push_back(test);
      }
    }
    return out;
  }
  engine::CachedTestPtr get(const api::Key& key) const override {
    const auto found = tests_.find(key);
    return found == tests_.end() ? nullptr : found->second;
  }
  std::vector<engine::RecordedEvent> events(const std::string&) const override {
    return recorded_events;
  }
  std::vector<ports::SourceProblem> problems() const override { return source_problems; }
  Result<std::vector<engine::Change>> changes_since(uint64_t version) const override {
    if (version < oldest) {
      return fail(ErrorKind::Gone, "too old");
    }
    std::vector<engine::Change> out;
    for (const auto& change : changes_) {
      if (change.resource_version > version) {
        out.push_back(change);
      }
    }
    return out;
  }
  std::unique_ptr<engine::Subscription> subscribe(Callback callback) override {
    callbacks_.push_back(std::move(callback));
    return std::make_unique<Entry>(callbacks_, std::prev(callbacks_.end()));
  }
  size_t subscribers() const { return callbacks_.size(); }

  AsyncResult<ports::StoredTest> create(const api::LoadTest&) override {
    co_return fail(ErrorKind::Forbidden, "the store is read-only");
  }
  AsyncResult<ports::StoredTest> replace(const api::LoadTest&) override {
    co_return fail(ErrorKind::Forbidden, "the store is read-only");
  }
  AsyncResult<void> remove(const api::Key&) override {
    co_return fail(ErrorKind::Forbidden, "the store is read-only");
  }
  AsyncResult<std::string> request_stop(const api::Key& key, bool now) override {
    requests.push_back(api::to_string(key) + (now ? " stop now" : " stop"));
    if (no_run) {
      co_return fail(ErrorKind::Conflict, "no run to stop");
    }
    co_return std::string(now ? "4/Now" : "4/Graceful");
  }
  AsyncResult<std::string> request_rerun(const api::Key& key) override {
    requests.push_back(api::to_string(key) + " rerun");
    co_return std::string("token");
  }
  AsyncResult<void> stream_logs(const api::Key&, int64_t run, const ports::LogOptions& options,
                                ports::Runtime::LogWriter write) override {
    requests.push_back("logs " + std::string(core::to_string(options.role)) + " " +
                       std::to_string(options.index) + " run " + std::to_string(run) +
                       (options.follow ? " follow" : "") + " tail " +
                       std::to_string(options.tail_lines));
    if (no_run) {
      co_return fail(ErrorKind::NotFound, "no logs");
    }
    for (const std::string& piece : log_pieces) {
      const bool more = co_await write(piece);
      if (!more) {
        break;
      }
    }
    co_return Result<void>();
  }
  std::string metrics() const override { return "# metrics\n"; }

  std::vector<engine::RecordedEvent> recorded_events;
  std::vector<ports::SourceProblem> source_problems;
  std::vector<std::string> requests;
  std::vector<std::string> log_pieces;
  uint64_t oldest = 0;
  bool no_run = false;

 private:
  class Entry : public engine::Subscription {
   public:
    Entry(std::list<Callback>& all, std::list<Callback>::iterator own) : all_(all), own_(own) {}
    ~Entry() override { all_.erase(own_); }

   private:
    std::list<Callback>& all_;
    std::list<Callback>::iterator own_;
  };

  void tell(const engine::Change& change) {
    changes_.push_back(change);
    for (const auto& callback : callbacks_) {
      callback(change);
    }
  }

  std::map<api::Key, engine::CachedTestPtr> tests_;
  std::vector<engine::Change> changes_;
  std::list<Callback> callbacks_;
  uint64_t version_ = 0;
};

}  // namespace atq::fakes
