#pragma once
// What the store has, as last told: every object compactly (CachedTest), every change numbered by
// a resourceVersion of the engine's own, the last changes kept in a ring, so that a watch can be
// served from any store. The engine's thread only; calls nobody but the listeners.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controller/engine/operations.hpp"

namespace atq::engine {

/// KEP-5504: versions that are decimal numbers without leading zeros compare by length, then bytes;
/// nullopt where either is something else.
std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b);

class Cache {
 public:
  static constexpr size_t kRing = 1024;

  /// Versions count from `first_version`; give it the time in microseconds, so that a client of an
  /// earlier director is told Gone instead of getting the wrong changes.
  explicit Cache(uint64_t first_version, size_t ring = kRing);

  /// What upsert() did.
  struct Applied {
    bool changed = false;  ///< false: known already
    CachedTestPtr before;  ///< null: new. Of another uid: that one is gone
    CachedTestPtr after;
  };
  Applied upsert(const ports::StoredTest& stored);
  /// Gives what was held; null where the key is not held or `uid` is not its uid.
  CachedTestPtr remove(const api::Key& key, const std::string& uid);

  /// The whole truth anew: begin, upsert() each, end; end gives what is gone.
  void begin_replace();
  /// `key` is listed, but what is held stays.
  void keep(const api::Key& key);
  std::vector<CachedTestPtr> end_replace();

  CachedTestPtr get(const api::Key& key) const;
  CachedTestPtr find_uid(std::string_view uid) const;
  Listing list(const std::string& ns) const;
  size_t size() const noexcept { return slots_.size(); }
  uint64_t resource_version() const noexcept { return version_; }

  /// Changes after `resource_version`; Gone where the ring no longer reaches back to it.
  Result<std::vector<Change>> changes_since(uint64_t resource_version) const;
  std::unique_ptr<Subscription> subscribe(std::function<void(const Change&)> callback);

 private:
  struct Slot {
    CachedTestPtr test;
    uint32_t epoch = 0;  // of the replace that listed it last
  };
  struct Listeners;
  using Slots = std::map<api::Key, Slot>;

  void publish(ChangeType type, const CachedTest& test);
  CachedTestPtr erase(Slots::iterator it);

  Slots slots_;
  std::unordered_map<std::string_view, CachedTestPtr> by_uid_;  // views into the test pointed to
  std::deque<Change> ring_;
  size_t ring_size_;
  uint64_t version_;
  uint32_t epoch_ = 0;
  std::shared_ptr<Listeners> listeners_;
};

}  // namespace atq::engine
