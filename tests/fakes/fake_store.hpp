#pragma once
// An honest Store in memory: versions, generations, optimistic concurrency, finalizers, a watch
// that delivers in order and never re-entrantly. What a user does to it (put, erase, …) and its
// faults are driven by the test. It outlives a director: stop() and a new watch() make a restart.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "controller/engine/async_event.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/store.hpp"

namespace atq::fakes {

struct FakeStoreOptions {
  bool finalizers = false;
  bool read_only = false;
};

class FakeStore final : public ports::Store {
 public:
  FakeStore(boost::asio::io_context& io, const ports::Clock& clock, FakeStoreOptions options = {});

  std::string name() const override { return "fake"; }
  core::Capabilities capabilities() const override;
  AsyncResult<void> watch(ports::StoreSink& sink) override;
  void stop() override;
  AsyncResult<ports::StoredTest> get(const api::Key& key) override;
  AsyncResult<ports::StoredTest> create(const api::LoadTest& test) override;
  AsyncResult<ports::StoredTest> replace(const api::LoadTest& test) override;
  AsyncResult<void> remove(const api::Key& key, const std::string& uid) override;
  AsyncResult<std::string> update_status(const api::Key& key, const std::string& uid,
                                         const std::string& resource_version,
                                         const api::LoadTestStatus& status) override;
  AsyncResult<ports::StoredTest> annotate(const api::Key& key,
                                          const ports::AnnotationPatch& patch) override;
  AsyncResult<void> finalize(const api::Key& key, const std::string& uid) override;
  Result<std::filesystem::path> local_file(const api::Key& key, const std::string& path) override;

  // ---- the user's side, without the engine --------------------------------------------------
  /// Writes the spec, labels and annotations of `test`, as an editor would: makes the object or a
  /// new generation of it. Gives its uid.
  std::string put(const api::LoadTest& test, std::vector<api::Problem> problems = {});
  void erase(const api::Key& key);
  void annotate_now(const api::Key& key, const ports::AnnotationPatch& patch);
  void set_source_problems(std::vector<ports::SourceProblem> problems);
  void add_local_file(const std::string& path, std::filesystem::path local);
  /// The object as it stands; nullptr where there is none.
  const ports::StoredTest* find(const api::Key& key) const;
  size_t size() const noexcept { return objects_.size(); }

  // ---- faults and counts --------------------------------------------------------------------
  /// The next `times` calls of `call` ("get", "update_status", …) give `error` and do nothing.
  void fail_next(const std::string& call, Error error, int times = 1);
  /// The next call of `call` does its work and then gives `error`: the lost answer.
  void lose_answer(const std::string& call, Error error);
  /// While paused the watch tells nothing: what the engine has is stale.
  void pause_watch(bool paused);
  /// Tells the whole truth again, as after a lost connection, dropping what was still to be told.
  void relist();
  int calls(const std::string& call) const;

 private:
  struct Delta {
    bool removed = false;
    bool problems = false;
    bool all = false;
    ports::StoredTest test;
  };
  struct Fault {
    Error error;
    int times = 0;
    bool after = false;
  };

  Result<void> enter(const std::string& call);
  Result<void> leave(const std::string& call);
  Result<ports::StoredTest*> object(const api::Key& key);
  void touch(ports::StoredTest& stored);
  void tell(Delta delta);
  void deliver(ports::StoreSink& sink);
  void drop(const api::Key& key);
  std::vector<ports::StoredTest> all() const;

  boost::asio::io_context& io_;
  const ports::Clock& clock_;
  FakeStoreOptions options_;
  std::map<api::Key, ports::StoredTest> objects_;
  std::map<std::string, std::filesystem::path> local_files_;
  std::vector<ports::SourceProblem> source_problems_;
  std::deque<Delta> deltas_;
  engine::AsyncEvent changed_;
  std::multimap<std::string, Fault> faults_;
  std::map<std::string, int> calls_;
  uint64_t version_ = 0;
  uint64_t uids_ = 0;
  bool watching_ = false;
  bool stopped_ = false;
  bool paused_ = false;
};

}  // namespace atq::fakes
