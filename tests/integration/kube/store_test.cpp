// The store against a real API server: the conformance suite, and what only a real one decides.
// Works on LoadTests named checkout and search in the namespace default; no director may be there.
#include <nlohmann/json.hpp>

#include "src/stores/kube_crd/kube_store.hpp"
#include "src/stores/kube_crd/objects.hpp"
#include "tests/conformance/store_suite.hpp"
#include "tests/integration/kube/real_api.hpp"

namespace atq {
namespace {

using conformance::load_test;
using conformance::wait_for;
using conformance::Watch;
using stores::kube::kLoadTests;
using stores::kube::KubeStore;

class RealWorld {
 public:
  explicit RealWorld(boost::asio::io_context& io) : io_(io) {
    if (const auto missing = kube::missing_cluster(); !missing.empty()) {
      // Seen by GoogleTest before it runs the body of the test that owns this.
      [&] { GTEST_SKIP() << missing; }();
      return;
    }
    api_ = std::make_unique<kube::RealApi>();
    static const bool installed = (api_->install_kind(), true);
    (void)installed;
    clean();
    restart();
  }
  ~RealWorld() {
    end();
    if (api_) clean();
  }

  ports::Store& store() { return *store_; }
  void restart() {
    end();
    connection_ = kube::connect(io_, {}).value();
    store_ = std::make_unique<KubeStore>(io_, *connection_.client,
                                         stores::kube::Options{{"default"}, 1});
  }
  void write(const api::LoadTest& test) {
    api_->apply(kube::path_of(kLoadTests, test.metadata.ns, test.metadata.name),
                stores::kube::new_object(test).dump());
  }
  void erase(const api::Key& key) {
    api_->must({.method = "DELETE", .target = kube::path_of(kLoadTests, key.ns, key.name)});
  }

 private:
  void clean() {
    for (const char* name : {"checkout", "search"}) {
      (void)api_->call({.method = "DELETE", .target = kube::path_of(kLoadTests, "default", name)});
    }
  }
  void end() {
    if (!store_) return;
    store_->stop();
    connection_.client->stop();
    io_.restart();
    io_.run_for(std::chrono::milliseconds(100));
    store_.reset();
  }

  boost::asio::io_context& io_;
  std::unique_ptr<kube::RealApi> api_;
  kube::Connection connection_;
  std::unique_ptr<KubeStore> store_;
};

}  // namespace

namespace conformance {
INSTANTIATE_TYPED_TEST_SUITE_P(RealApiServer, StoreSuite, RealWorld);
}  // namespace conformance

namespace {

const api::Key kKey{"default", "checkout"};

class RealStore : public ::testing::Test {
 protected:
  template <class T>
  Result<T> wait(AsyncResult<T> task) {
    return wait_for(io_, std::move(task));
  }

  boost::asio::io_context io_;
  RealWorld world_{io_};
};

TEST_F(RealStore, StatusIsReplacedWholeAndNothingElseMoves) {
  world_.write(load_test("checkout"));
  auto test = wait(world_.store().get(kKey)).value().test;
  api::LoadTestStatus first;
  first.message = "here";
  first.workers.addresses = {"10.0.0.1", "10.0.0.2"};
  const auto version = wait(
      world_.store().update_status(kKey, test.metadata.uid, test.metadata.resource_version, first));
  ASSERT_TRUE(version) << version.error().message;
  api::LoadTestStatus second;
  second.workers.addresses = {"10.0.0.3"};
  ASSERT_TRUE(wait(world_.store().update_status(kKey, test.metadata.uid, *version, second)));
  const auto after = wait(world_.store().get(kKey)).value().test;
  EXPECT_EQ(after.status, second);
  EXPECT_EQ(after.spec, test.spec);
  EXPECT_EQ(after.metadata.generation, test.metadata.generation);
}

}  // namespace
}  // namespace atq
