#include "src/stores/kube_crd/merge.hpp"

#include <algorithm>
#include <utility>

namespace atq::stores::kube {

void Merge::replace_begin(size_t from) {
  if (alone()) {
    return sink_.replace_begin();
  }
  if (!begun_) {
    begun_ = true;
    sink_.replace_begin();
  }
  watches_[from].listed.clear();
}

void Merge::replace_add(size_t from, ports::StoredTest test) {
  if (alone()) {
    return sink_.replace_add(std::move(test));
  }
  Watch& watch = watches_[from];
  const api::Key key = api::key_of(test.test);
  watch.listed[key] = test.test.metadata.uid;
  watch.known[key] = test.test.metadata.uid;
  pass_on(std::move(test));
}

void Merge::replace_end(size_t from) {
  if (alone()) {
    return sink_.replace_end();
  }
  Watch& watch = watches_[from];
  for (const auto& [key, uid] : std::exchange(watch.known, watch.listed)) {
    if (!watch.listed.contains(key)) {
      drop(key, uid);
    }
  }
  watch.listed.clear();
  watch.told = true;
  if (whole_ || !std::ranges::all_of(watches_, &Watch::told)) {
    return;
  }
  whole_ = true;
  sink_.replace_end();
  for (const auto& [key, uid] : std::exchange(stale_, {})) {
    sink_.remove(key, uid);
  }
}

void Merge::upsert(size_t from, ports::StoredTest test) {
  if (alone()) {
    return sink_.upsert(std::move(test));
  }
  watches_[from].known[api::key_of(test.test)] = test.test.metadata.uid;
  pass_on(std::move(test));
}

void Merge::remove(size_t from, const api::Key& key, const std::string& uid) {
  if (alone()) {
    return sink_.remove(key, uid);
  }
  if (watches_[from].known.erase(key) > 0) {
    drop(key, uid);
  }
}

void Merge::pass_on(ports::StoredTest test) {
  if (whole_) {
    return sink_.upsert(std::move(test));
  }
  stale_.erase(api::key_of(test.test));
  sink_.replace_add(std::move(test));
}

void Merge::drop(const api::Key& key, const std::string& uid) {
  if (whole_) {
    return sink_.remove(key, uid);
  }
  stale_[key] = uid;
}

}  // namespace atq::stores::kube
