#pragma once
// One LoadTest as the cache holds it: immutable and compact (deflated encoded text, decoded on
// demand), so that ten thousand of them stay small. Handed out by shared_ptr<const>; a reader may
// keep it as long as it likes.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "controller/api/codec.hpp"
#include "controller/api/types.hpp"
#include "controller/engine/deflated_text.hpp"
#include "controller/ports/store.hpp"

namespace atq::engine {

class CachedTest {
 public:
  /// `resource_version` is the engine's (see Cache), not the store's.
  CachedTest(const ports::StoredTest& stored, uint64_t resource_version);

  const api::Key& key() const noexcept { return key_; }
  const std::string& uid() const noexcept { return uid_; }
  int64_t generation() const noexcept { return generation_; }
  /// The store's word for this version; what optimistic concurrency compares. Also stands in
  /// json() as metadata.resourceVersion.
  const std::string& store_version() const noexcept { return store_version_; }
  /// Position in the engine's order of changes: what a watch continues from.
  uint64_t resource_version() const noexcept { return resource_version_; }
  /// Of the stored document; any: the object is shown and refused.
  const std::vector<api::Problem>& problems() const noexcept { return problems_; }
  /// The object as compact JSON (api::encode_json). Made anew at each call.
  std::string json() const { return json_.str(); }
  /// The object as values. Costs a parse: not for loops over all objects.
  std::shared_ptr<api::LoadTest> decode() const;

 private:
  api::Key key_;
  std::string uid_;
  std::string store_version_;
  DeflatedText json_;
  std::vector<api::Problem> problems_;
  int64_t generation_ = 0;
  uint64_t resource_version_ = 0;
};

}  // namespace atq::engine
