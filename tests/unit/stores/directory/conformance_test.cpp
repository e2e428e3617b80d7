#include "tests/fakes/fake_store.hpp"
#include "tests/unit/stores/directory/fixture.hpp"

namespace atq::conformance {

INSTANTIATE_TYPED_TEST_SUITE_P(Directory, StoreSuite, stores::directory::StoreFixture);

template <bool kFinalizers>
class FakeFixture {
 public:
  explicit FakeFixture(boost::asio::io_context& io)
      : clock_(io), store_(io, clock_, {.finalizers = kFinalizers, .read_only = false}) {}
  fakes::FakeStore& store() { return store_; }
  void restart() {}
  void write(const api::LoadTest& test) { store_.put(test); }
  void erase(const api::Key& key) { store_.erase(key); }

 private:
  engine::AsioClock clock_;
  fakes::FakeStore store_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, StoreSuite, FakeFixture<false>);
INSTANTIATE_TYPED_TEST_SUITE_P(FakeWithFinalizers, StoreSuite, FakeFixture<true>);

}  // namespace atq::conformance
