#include "src/stores/kube_crd/kube_store.hpp"

#include <nlohmann/json.hpp>

#include "controller/engine/asio_clock.hpp"
#include "src/stores/kube_crd/objects.hpp"
#include "tests/conformance/store_suite.hpp"
#include "tests/fakes/kube/fake_api.hpp"

namespace atq {
namespace {

using conformance::load_test;
using conformance::RecordingSink;
using conformance::run_until;
using conformance::wait_for;
using conformance::Watch;
using fakes::kube::Json;
using stores::kube::kLoadTests;
using stores::kube::KubeStore;

/// A store over a fake API server, on real time.
class KubeWorld {
 public:
  explicit KubeWorld(boost::asio::io_context& io, std::vector<std::string> namespaces = {})
      : io_(io), namespaces_(std::move(namespaces)) {
    restart();
  }
  ~KubeWorld() { end(); }

  ports::Store& store() { return *store_; }
  void restart() {
    end();
    client_ = api.connect("director");
    store_ = std::make_unique<KubeStore>(io_, *client_, stores::kube::Options{namespaces_, 1});
  }
  void write(const api::LoadTest& test) {
    api.put(kLoadTests, test.metadata.ns, stores::kube::new_object(test));
  }
  void erase(const api::Key& key) { api.erase(kLoadTests, key.ns, key.name); }

 private:
  void end() {
    if (!store_) return;
    store_->stop();
    client_->stop();
    io_.restart();
    io_.poll();
    store_.reset();
    client_.reset();
  }

  boost::asio::io_context& io_;
  std::vector<std::string> namespaces_;
  engine::AsioClock clock_{io_};

 public:
  fakes::kube::FakeApi api{io_, clock_};

 private:
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<KubeStore> store_;
};

/// The same where the director may see some namespaces alone.
class NamespacedWorld : public KubeWorld {
 public:
  explicit NamespacedWorld(boost::asio::io_context& io)
      : KubeWorld(io, {"shop", "default", "team-a"}) {}
};

}  // namespace

namespace conformance {
INSTANTIATE_TYPED_TEST_SUITE_P(KubeCluster, StoreSuite, KubeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(KubeNamespaces, StoreSuite, NamespacedWorld);
}  // namespace conformance

namespace {

const api::Key kKey{"default", "checkout"};

class KubeStoreTest : public ::testing::Test {
 protected:
  template <class T>
  Result<T> wait(AsyncResult<T> task) {
    return wait_for(io_, std::move(task));
  }
  ports::StoredTest get() { return wait(world_.store().get(kKey)).value(); }
  Json raw() { return world_.api.get(kLoadTests, "default", "checkout").value(); }

  boost::asio::io_context io_;
  KubeWorld world_{io_};
};

TEST_F(KubeStoreTest, StatusIsReplacedWholeByOneCall) {
  world_.write(load_test("checkout"));
  auto test = get().test;
  api::LoadTestStatus first;
  first.message = "here";
  first.workers.addresses = {"10.0.0.1", "10.0.0.2"};
  first.reason = "First";
  world_.api.forget_calls();
  const auto version = wait(
      world_.store().update_status(kKey, test.metadata.uid, test.metadata.resource_version, first));
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(world_.api.calls().size(), 1U);
  EXPECT_EQ(world_.api.count("PATCH", "/loadtests/checkout/status"), 1U);
  EXPECT_EQ(get().test.status, first);

  api::LoadTestStatus second;
  second.workers.addresses = {"10.0.0.3"};
  ASSERT_TRUE(wait(world_.store().update_status(kKey, test.metadata.uid, *version, second)));
  EXPECT_EQ(get().test.status, second) << "what is no longer said is gone";
  EXPECT_FALSE(raw().at("status").contains("message"));
  EXPECT_EQ(get().test.spec, test.spec);
}

TEST_F(KubeStoreTest, StatusThatIsRefusedIsInvalidNotConflict) {
  world_.write(load_test("checkout"));
  const auto meta = get().test.metadata;
  world_.api.fail_next({.method = "PATCH", .status = 422, .reason = "Invalid"});
  const auto refused =
      wait(world_.store().update_status(kKey, meta.uid, meta.resource_version, {}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Invalid);
}

TEST_F(KubeStoreTest, ReplaceKeepsWhatIsNotOurs) {
  world_.write(load_test("checkout"));
  world_.api.put(
      kLoadTests, "default",
      {{"kind", "LoadTest"},
       {"metadata",
        {{"name", "checkout"}, {"annotations", {{"team", "shop"}}}, {"finalizers", {"x.y/z"}}}}});
  auto test = get().test;
  test.spec.worker.replicas = 9;
  test.spec.thresholds.clear();
  ASSERT_TRUE(wait(world_.store().replace(test)));
  EXPECT_EQ(get().test.spec.worker.replicas, 9);
  EXPECT_EQ(raw().at("metadata").at("annotations").at("team"), "shop");
  EXPECT_EQ(raw().at("metadata").at("finalizers").at(0), "x.y/z");
  world_.api.put(
      kLoadTests, "default",
      {{"kind", "LoadTest"}, {"metadata", {{"name", "checkout"}, {"finalizers", nullptr}}}});
}

TEST_F(KubeStoreTest, WhatIsStoredAndWrongIsToldWithItsProblems) {
  api::LoadTest test = load_test("checkout");
  test.spec.thresholds = {"p95(latency) < soon"};
  world_.write(test);
  Watch watch(io_, world_.store());
  ASSERT_TRUE(watch.synced());
  const auto* stored = watch.sink.find(kKey);
  ASSERT_NE(stored, nullptr);
  ASSERT_FALSE(stored->problems.empty());
  EXPECT_EQ(stored->problems[0].path, "spec.thresholds[0]");
  EXPECT_EQ(stored->test.spec.worker.replicas, 2);
  watch.end();
}

TEST_F(KubeStoreTest, BookkeepingOfOthersIsNotKept) {
  world_.write(load_test("checkout"));
  Json object = raw();
  object["metadata"]["managedFields"] = Json::array({{{"manager", "kubectl"}}});
  object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}";
  object["metadata"]["annotations"]["mine"] = "kept";
  const auto read = stores::kube::read_test(std::move(object));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->test.metadata.annotations.size(), 1U);
  EXPECT_TRUE(read->problems.empty()) << api::to_string(read->problems);
}

TEST_F(KubeStoreTest, HostileObjectsAreSkippedOrNamed) {
  using stores::kube::read_test;
  EXPECT_FALSE(read_test(Json()));
  EXPECT_FALSE(read_test(Json::array()));
  EXPECT_FALSE(read_test({{"metadata", 7}}));
  EXPECT_FALSE(read_test({{"metadata", {{"name", "x"}}}}));
  world_.write(load_test("checkout"));
  Json deep = raw();
  Json* at = &deep["spec"]["kubernetes"]["worker"]["podTemplate"];
  for (int i = 0; i < 20'000; ++i) at = &(*at)["a"];
  const auto read = read_test(std::move(deep));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->test.metadata.name, "checkout");
  ASSERT_EQ(read->problems.size(), 1U);
  EXPECT_NE(read->problems[0].message.find("levels"), std::string::npos);
}

TEST_F(KubeStoreTest, FileOfAPathNamesWhatToUseInstead) {
  const auto file = world_.store().local_file(kKey, "plan.jmx");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::Unavailable);
  EXPECT_NE(file.error().message.find("configMap"), std::string::npos);
}

TEST_F(KubeStoreTest, KindThatIsNotInstalledEndsTheWatch) {
  world_.api.fail_next({.path = "/loadtests", .times = 100, .status = 404, .reason = "NotFound"});
  Watch watch(io_, world_.store());
  ASSERT_TRUE(run_until(io_, [&] { return watch.result.has_value(); }));
  ASSERT_FALSE(*watch.result);
  EXPECT_NE(watch.result->error().message.find("kubectl apply"), std::string::npos);
}

TEST_F(KubeStoreTest, RightThatIsMissingInOneNamespaceIsNamed) {
  KubeWorld world(io_, {"a", "b"});
  world.api.fail_next(
      {.path = "/namespaces/b/", .times = 100, .status = 403, .reason = "Forbidden"});
  Watch watch(io_, world.store());
  ASSERT_TRUE(run_until(io_, [&] { return watch.result.has_value(); }));
  ASSERT_FALSE(*watch.result);
  EXPECT_NE(watch.result->error().message.find("namespace b"), std::string::npos)
      << watch.result->error().message;
}

TEST_F(KubeStoreTest, NamespacesMakeOneTruth) {
  KubeWorld world(io_, {"a", "b", "a"});
  for (const char* ns : {"a", "b", "c"}) {
    api::LoadTest test = load_test("checkout");
    test.metadata.ns = ns;
    world.write(test);
  }
  Watch watch(io_, world.store());
  ASSERT_TRUE(watch.synced());
  EXPECT_EQ(watch.sink.replaces, 1);
  EXPECT_EQ(watch.sink.objects.size(), 2U);
  EXPECT_EQ(watch.sink.find({"c", "checkout"}), nullptr);
  world.erase({"a", "checkout"});
  ASSERT_TRUE(watch.sees([&] { return watch.sink.objects.size() == 1; }));
  EXPECT_EQ(watch.sink.replaces, 1);
  api::LoadTest other = load_test("other");
  other.metadata.ns = "c";
  EXPECT_EQ(wait(world.store().create(other)).error().kind, ErrorKind::Invalid);
  watch.end();
}

TEST_F(KubeStoreTest, CallsAfterStopAreCanceled) {
  world_.write(load_test("checkout"));
  world_.store().stop();
  EXPECT_EQ(wait(world_.store().get(kKey)).error().kind, ErrorKind::Canceled);
  EXPECT_EQ(wait(world_.store().update_status(kKey, "u", "1", {})).error().kind,
            ErrorKind::Canceled);
  RecordingSink sink;
  EXPECT_EQ(wait(world_.store().watch(sink)).error().kind, ErrorKind::Canceled);
}

}  // namespace
}  // namespace atq
