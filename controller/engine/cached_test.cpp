#include "controller/engine/cached_test.hpp"

#include <stdexcept>

namespace atq::engine {

CachedTest::CachedTest(const ports::StoredTest& stored, uint64_t resource_version)
    : key_(api::key_of(stored.test)),
      uid_(stored.test.metadata.uid),
      store_version_(stored.test.metadata.resource_version),
      json_(api::encode_json(stored.test)),
      problems_(stored.problems),
      generation_(stored.test.metadata.generation),
      resource_version_(resource_version) {
  problems_.shrink_to_fit();
}

std::shared_ptr<api::LoadTest> CachedTest::decode() const {
  auto decoded = api::decode_trusted(json_.str());
  if (!decoded) {
    throw std::logic_error("cached object " + api::to_string(key_) +
                           " does not decode: " + decoded.error().message);
  }
  return std::make_shared<api::LoadTest>(*std::move(decoded));
}

}  // namespace atq::engine
