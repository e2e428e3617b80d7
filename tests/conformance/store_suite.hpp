#pragma once
// What every ports::Store does, as a typed GoogleTest suite. An implementation takes part with a
// fixture type that has
//   explicit Fixture(boost::asio::io_context&);
//   ports::Store& store();
//   void restart();                      // the director dies and comes back: a store over the same
//   place void write(const api::LoadTest&);    // as its user does, past the port void erase(const
//   api::Key&);
// and INSTANTIATE_TYPED_TEST_SUITE_P(Name, StoreSuite, Fixture).

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "controller/ports/store.hpp"

namespace atq::conformance {

/// A sink that keeps what it was told, and holds the store to the port's promises.
class RecordingSink final : public ports::StoreSink {
 public:
  void replace(std::vector<ports::StoredTest> all) override {
    ++replaces;
    objects.clear();
    for (auto& stored : all) objects[api::key_of(stored.test)] = std::move(stored);
  }
  void upsert(ports::StoredTest test) override {
    EXPECT_GT(replaces, 0) << "a change before the first replace()";
    ++upserts;
    const api::Key key = api::key_of(test.test);
    objects[key] = std::move(test);
  }
  void remove(const api::Key& key, const std::string& uid) override {
    const auto it = objects.find(key);
    ASSERT_NE(it, objects.end());
    EXPECT_EQ(it->second.test.metadata.uid, uid);
    objects.erase(it);
    removed.push_back(uid);
  }
  void problems(std::vector<ports::SourceProblem> all) override {
    source_problems = std::move(all);
  }

  const ports::StoredTest* find(const api::Key& key) const {
    const auto it = objects.find(key);
    return it == objects.end() ? nullptr : &it->second;
  }
  /// The first problem whose source or message holds `text`.
  const ports::SourceProblem* problem(const std::string& text) const {
    const auto it = std::ranges::find_if(source_problems, [&](const auto& p) {
      return p.message.find(text) != std::string::npos || p.source.find(text) != std::string::npos;
    });
    return it == source_problems.end() ? nullptr : &*it;
  }

  int replaces = 0;
  int upserts = 0;
  std::map<api::Key, ports::StoredTest> objects;
  std::vector<std::string> removed;
  std::vector<ports::SourceProblem> source_problems;
};

/// Runs the loop until `done`; false after ten seconds.
inline bool run_until(boost::asio::io_context& io, const std::function<bool()>& done,
                      std::chrono::milliseconds limit = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    io.restart();
    io.run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

template <class T>
Task<void> keep(AsyncResult<T> task, std::optional<Result<T>>& into) {
  Result<T> result = co_await std::move(task);
  into.emplace(std::move(result));
}

/// The result of a call, with the loop run for it.
template <class T>
Result<T> wait_for(boost::asio::io_context& io, AsyncResult<T> task) {
  std::optional<Result<T>> result;
  boost::asio::co_spawn(io, keep(std::move(task), result), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  if (!run_until(io, [&] { return result.has_value(); })) {
    return fail(ErrorKind::Timeout, "the call did not return");
  }
  return std::move(*result);
}

/// A watch under way; ends with it.
class Watch {
 public:
  Watch(boost::asio::io_context& io, ports::Store& store) : io_(io), store_(store) {
    boost::asio::co_spawn(io, keep(store.watch(sink), result), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
  }
  ~Watch() { end(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  bool sees(const std::function<bool()>& done) { return run_until(io_, done); }
  bool synced() {
    return sees([&] { return sink.replaces > 0; });
  }
  void end() {
    if (result) return;
    store_.stop();
    EXPECT_TRUE(run_until(io_, [&] { return result.has_value(); })) << "watch() outlives stop()";
  }

  RecordingSink sink;
  std::optional<Result<void>> result;

 private:
  boost::asio::io_context& io_;
  ports::Store& store_;
};

inline api::LoadTest load_test(const std::string& name, int replicas = 2) {
  api::LoadTest test;
  test.metadata.name = name;
  test.spec.tool = "custom";
  test.spec.worker.replicas = replicas;
  test.spec.worker.role.command = {"true"};
  return test;
}

template <class Fixture>
class StoreSuite : public ::testing::Test {
 protected:
  ports::Store& store() { return fixture_.store(); }
  template <class T>
  Result<T> wait(AsyncResult<T> task) {
    return wait_for(io_, std::move(task));
  }
  /// The object as a live read has it.
  ports::StoredTest get(const api::Key& key) {
    auto found = wait(store().get(key));
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : ports::StoredTest{};
  }
  api::LoadTestStatus status_of(const std::string& reason) {
    api::LoadTestStatus status;
    status.reason = reason;
    status.run.number = 3;
    return status;
  }

  boost::asio::io_context io_;
  Fixture fixture_{io_};
  const api::Key key_{"default", "checkout"};
};

TYPED_TEST_SUITE_P(StoreSuite);

TYPED_TEST_P(StoreSuite, TellsTheWholeTruthFirst) {
  this->fixture_.write(load_test("checkout"));
  this->fixture_.write(load_test("search"));
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  ASSERT_EQ(watch.sink.objects.size(), 2U);
  const auto& test = watch.sink.objects.at(this->key_).test;
  EXPECT_FALSE(test.metadata.uid.empty());
  EXPECT_FALSE(test.metadata.resource_version.empty());
  EXPECT_EQ(test.metadata.generation, 1);
  EXPECT_TRUE(test.metadata.creation_timestamp.has_value());
  EXPECT_EQ(test.spec.worker.replicas, 2);
}

TYPED_TEST_P(StoreSuite, AnEmptyStoreIsATruthToo) {
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  EXPECT_TRUE(watch.sink.objects.empty());
  EXPECT_EQ(this->wait(this->store().get(this->key_)).error().kind, ErrorKind::NotFound);
}

TYPED_TEST_P(StoreSuite, AChangedSpecIsANewGenerationOfTheSameObject) {
  this->fixture_.write(load_test("checkout", 2));
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const auto before = watch.sink.find(this->key_)->test.metadata;
  this->fixture_.write(load_test("checkout", 5));
  ASSERT_TRUE(
      watch.sees([&] { return watch.sink.find(this->key_)->test.spec.worker.replicas == 5; }));
  const auto& after = watch.sink.find(this->key_)->test.metadata;
  EXPECT_EQ(after.uid, before.uid);
  EXPECT_EQ(after.generation, before.generation + 1);
  EXPECT_NE(after.resource_version, before.resource_version);
}

TYPED_TEST_P(StoreSuite, ANewObjectIsSeen) {
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  this->fixture_.write(load_test("checkout"));
  ASSERT_TRUE(watch.sees([&] { return watch.sink.find(this->key_) != nullptr; }));
  EXPECT_EQ(this->get(this->key_).test.metadata.uid,
            watch.sink.find(this->key_)->test.metadata.uid);
}

TYPED_TEST_P(StoreSuite, StatusIsKeptUnderOptimisticConcurrency) {
  this->fixture_.write(load_test("checkout"));
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const auto meta = watch.sink.find(this->key_)->test.metadata;
  const auto status = this->status_of("First");
  const auto version =
      this->wait(this->store().update_status(this->key_, meta.uid, meta.resource_version, status));
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_NE(*version, meta.resource_version);
  EXPECT_EQ(this->get(this->key_).test.status, status);
  EXPECT_EQ(this->get(this->key_).test.metadata.generation, meta.generation);

  const auto stale = this->wait(this->store().update_status(
      this->key_, meta.uid, meta.resource_version, this->status_of("Stale")));
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().kind, ErrorKind::Conflict);
  const auto other = this->wait(
      this->store().update_status(this->key_, "other-uid", *version, this->status_of("Other")));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::Conflict);
  EXPECT_EQ(this->get(this->key_).test.status.reason, "First");
  ASSERT_TRUE(watch.sees(
      [&] { return watch.sink.find(this->key_)->test.metadata.resource_version == *version; }));
  EXPECT_EQ(watch.sink.find(this->key_)->test.status, status);
}

TYPED_TEST_P(StoreSuite, CallsOnWhatDoesNotExistAreNotFound) {
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const api::Key none{"default", "none"};
  EXPECT_EQ(this->wait(this->store().update_status(none, "u", "1", {})).error().kind,
            ErrorKind::NotFound);
  EXPECT_EQ(this->wait(this->store().annotate(none, {{"a", "b"}})).error().kind,
            ErrorKind::NotFound);
  EXPECT_EQ(this->wait(this->store().remove(none, "u")).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(this->wait(this->store().replace(load_test("none"))).error().kind, ErrorKind::NotFound);
  EXPECT_TRUE(this->wait(this->store().finalize(none, "u")));
}

TYPED_TEST_P(StoreSuite, VersionsOnlyGrow) {
  this->fixture_.write(load_test("checkout"));
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  auto last = std::stoull(this->get(this->key_).test.metadata.resource_version);
  const std::string uid = this->get(this->key_).test.metadata.uid;
  for (int i = 0; i < 5; ++i) {
    const auto version = this->wait(this->store().update_status(
        this->key_, uid, std::to_string(last), this->status_of("R" + std::to_string(i))));
    ASSERT_TRUE(version) << version.error().message;
    EXPECT_GT(std::stoull(*version), last);
    last = std::stoull(*version);
  }
}

TYPED_TEST_P(StoreSuite, RequestsAreMergedAndToldAndCanBeTakenBack) {
  this->fixture_.write(load_test("checkout"));
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const auto before = this->get(this->key_).test.metadata;
  const std::string stop(api::kStopAnnotation);
  auto noted = this->wait(this->store().annotate(this->key_, {{stop, "1/Now"}, {"x/y", "z"}}));
  ASSERT_TRUE(noted) << noted.error().message;
  EXPECT_EQ(noted->test.metadata.annotations.at(stop), "1/Now");
  EXPECT_EQ(noted->test.metadata.generation, before.generation);
  EXPECT_NE(noted->test.metadata.resource_version, before.resource_version);
  ASSERT_TRUE(watch.sees(
      [&] { return watch.sink.find(this->key_)->test.metadata.annotations.contains(stop); }));
  noted = this->wait(this->store().annotate(this->key_, {{stop, std::nullopt}}));
  ASSERT_TRUE(noted);
  EXPECT_FALSE(noted->test.metadata.annotations.contains(stop));
  EXPECT_EQ(noted->test.metadata.annotations.at("x/y"), "z");
}

TYPED_TEST_P(StoreSuite, EverythingOutlivesTheDirector) {
  this->fixture_.write(load_test("checkout"));
  std::string uid;
  api::LoadTestStatus status = this->status_of("Kept");
  {
    Watch watch(this->io_, this->store());
    ASSERT_TRUE(watch.synced());
    const auto meta = this->get(this->key_).test.metadata;
    uid = meta.uid;
    ASSERT_TRUE(this->wait(this->store().annotate(this->key_, {{"atq.dev/rerun", "t1"}})));
    ASSERT_TRUE(this->wait(this->store().update_status(
        this->key_, uid, this->get(this->key_).test.metadata.resource_version, status)));
  }
  this->fixture_.restart();
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const auto* found = watch.sink.find(this->key_);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->test.metadata.uid, uid);
  EXPECT_EQ(found->test.status, status);
  EXPECT_EQ(found->test.metadata.annotations.at("atq.dev/rerun"), "t1");
  EXPECT_EQ(found->test.metadata.generation, 1);
}

TYPED_TEST_P(StoreSuite, ADeletedObjectGoesWhenItIsFinalized) {
  this->fixture_.write(load_test("checkout"));
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const std::string uid = watch.sink.find(this->key_)->test.metadata.uid;
  this->fixture_.erase(this->key_);
  if (this->store().capabilities().finalizers) {
    ASSERT_TRUE(watch.sees([&] {
      const auto* found = watch.sink.find(this->key_);
      return found != nullptr && found->test.metadata.deletion_timestamp.has_value();
    }));
    EXPECT_FALSE(watch.sink.find(this->key_)->test.metadata.finalizers.empty());
    ASSERT_TRUE(this->wait(this->store().finalize(this->key_, uid)));
  }
  ASSERT_TRUE(watch.sees([&] { return watch.sink.find(this->key_) == nullptr; }));
  EXPECT_EQ(watch.sink.removed, std::vector<std::string>{uid});
  EXPECT_TRUE(this->wait(this->store().finalize(this->key_, uid))) << "a second time";
  this->fixture_.write(load_test("checkout"));
  ASSERT_TRUE(watch.sees([&] { return watch.sink.find(this->key_) != nullptr; }));
  EXPECT_NE(watch.sink.find(this->key_)->test.metadata.uid, uid) << "an identity used twice";
}

TYPED_TEST_P(StoreSuite, ADeletionUnderWayOutlivesTheDirector) {
  if (!this->store().capabilities().finalizers) GTEST_SKIP() << "has no finalizers";
  this->fixture_.write(load_test("checkout"));
  std::string uid;
  {
    Watch watch(this->io_, this->store());
    ASSERT_TRUE(watch.synced());
    uid = watch.sink.find(this->key_)->test.metadata.uid;
    ASSERT_TRUE(this->wait(this->store().remove(this->key_, uid)));
    EXPECT_TRUE(this->get(this->key_).test.metadata.deletion_timestamp.has_value());
  }
  this->fixture_.restart();
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const auto* found = watch.sink.find(this->key_);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->test.metadata.uid, uid);
  EXPECT_TRUE(found->test.metadata.deletion_timestamp.has_value());
  ASSERT_TRUE(this->wait(this->store().finalize(this->key_, uid)));
  EXPECT_EQ(this->wait(this->store().get(this->key_)).error().kind, ErrorKind::NotFound);
}

TYPED_TEST_P(StoreSuite, ObjectsAreCreatedReplacedAndRemovedThroughThePort) {
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  auto made = this->wait(this->store().create(load_test("checkout", 2)));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_FALSE(made->test.metadata.uid.empty());
  EXPECT_EQ(this->wait(this->store().create(load_test("checkout"))).error().kind,
            ErrorKind::Conflict);
  ASSERT_TRUE(watch.sees([&] { return watch.sink.find(this->key_) != nullptr; }));

  auto changed = made->test;
  changed.spec.worker.replicas = 7;
  changed.metadata.labels["team"] = "shop";
  const auto replaced = this->wait(this->store().replace(changed));
  ASSERT_TRUE(replaced) << replaced.error().message;
  EXPECT_EQ(replaced->test.spec.worker.replicas, 7);
  EXPECT_EQ(replaced->test.metadata.labels.at("team"), "shop");
  EXPECT_EQ(replaced->test.metadata.uid, made->test.metadata.uid);
  EXPECT_EQ(replaced->test.metadata.generation, 2);
  EXPECT_EQ(this->wait(this->store().replace(changed)).error().kind, ErrorKind::Conflict)
      << "its version is old";

  EXPECT_EQ(this->wait(this->store().remove(this->key_, "other-uid")).error().kind,
            ErrorKind::Conflict);
  EXPECT_TRUE(this->wait(this->store().remove(this->key_, made->test.metadata.uid)));
}

TYPED_TEST_P(StoreSuite, StopEndsTheWatchSoon) {
  this->fixture_.write(load_test("checkout"));
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const auto started = std::chrono::steady_clock::now();
  watch.end();
  ASSERT_TRUE(watch.result.has_value());
  ASSERT_FALSE(*watch.result);
  EXPECT_EQ(watch.result->error().kind, ErrorKind::Canceled);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
}

TYPED_TEST_P(StoreSuite, AFileThatDoesNotExistIsNotFound) {
  this->fixture_.write(load_test("checkout"));
  Watch watch(this->io_, this->store());
  ASSERT_TRUE(watch.synced());
  const auto file = this->store().local_file(this->key_, "no-such.jmx");
  ASSERT_FALSE(file);
  EXPECT_TRUE(file.error().kind == ErrorKind::NotFound ||
              file.error().kind == ErrorKind::Unavailable);
}

REGISTER_TYPED_TEST_SUITE_P(StoreSuite, TellsTheWholeTruthFirst, AnEmptyStoreIsATruthToo,
                            AChangedSpecIsANewGenerationOfTheSameObject, ANewObjectIsSeen,
                            StatusIsKeptUnderOptimisticConcurrency,
                            CallsOnWhatDoesNotExistAreNotFound, VersionsOnlyGrow,
                            RequestsAreMergedAndToldAndCanBeTakenBack,
                            EverythingOutlivesTheDirector, ADeletedObjectGoesWhenItIsFinalized,
                            ADeletionUnderWayOutlivesTheDirector,
                            ObjectsAreCreatedReplacedAndRemovedThroughThePort, StopEndsTheWatchSoon,
                            AFileThatDoesNotExistIsNotFound);

}  // namespace atq::conformance
