#include "controller/engine/cache.hpp"

#include <algorithm>
#include <limits>
#include <list>

namespace atq::engine {

namespace {

bool is_decimal(std::string_view text) {
  return !text.empty() && (text == "0" || text.front() != '0') &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b) {
  if (!is_decimal(a) || !is_decimal(b)) {
    return std::nullopt;
  }
  if (a.size() != b.size()) {
    return a.size() <=> b.size();
  }
  return a.compare(b) <=> 0;
}

struct Cache::Listeners {
  std::map<uint64_t, std::function<void(const Change&)>> callbacks;
  uint64_t next = 0;
};

Cache::Cache(uint64_t first_version, size_t ring)
    : ring_size_(ring), version_(first_version), listeners_(std::make_shared<Listeners>()) {}

Cache::Applied Cache::upsert(const ports::StoredTest& stored) {
  const auto [it, fresh] = slots_.try_emplace(api::key_of(stored.test));
  Slot& slot = it->second;
  slot.epoch = epoch_;
  Applied applied{.changed = false, .before = slot.test, .after = slot.test};
  const bool same_object = !fresh && slot.test->uid() == stored.test.metadata.uid;
  if (same_object && slot.test->store_version() == stored.test.metadata.resource_version &&
      slot.test->problems() == stored.problems) {
    return applied;
  }
  if (!fresh) {
    by_uid_.erase(slot.test->uid());
  }
  if (!fresh && !same_object) {
    publish(ChangeType::Deleted, *slot.test);
  }
  slot.test = std::make_shared<const CachedTest>(stored, version_ + 1);
  by_uid_.emplace(slot.test->uid(), slot.test);
  applied.changed = true;
  applied.after = slot.test;
  publish(same_object ? ChangeType::Modified : ChangeType::Added, *applied.after);
  return applied;
}

CachedTestPtr Cache::remove(const api::Key& key, const std::string& uid) {
  const auto it = slots_.find(key);
  if (it == slots_.end() || it->second.test->uid() != uid) {
    return nullptr;
  }
  return erase(it);
}

CachedTestPtr Cache::erase(Slots::iterator it) {
  CachedTestPtr gone = it->second.test;
  by_uid_.erase(gone->uid());
  slots_.erase(it);
  publish(ChangeType::Deleted, *gone);
  return gone;
}

void Cache::begin_replace() { ++epoch_; }

void Cache::keep(const api::Key& key) {
  if (const auto it = slots_.find(key); it != slots_.end()) {
    it->second.epoch = epoch_;
  }
}

std::vector<CachedTestPtr> Cache::end_replace() {
  std::vector<CachedTestPtr> gone;
  for (auto it = slots_.begin(); it != slots_.end();) {
    const auto next = std::next(it);
    if (it->second.epoch != epoch_) {
      gone.push_back(erase(it));
    }
    it = next;
  }
  return gone;
}

CachedTestPtr Cache::get(const api::Key& key) const {
  const auto it = slots_.find(key);
  return it == slots_.end() ? nullptr : it->second.test;
}

CachedTestPtr Cache::find_uid(std::string_view uid) const {
  const auto it = by_uid_.find(uid);
  return it == by_uid_.end() ? nullptr : it->second;
}

Listing Cache::list(const std::string& ns) const {
  Listing listing{.resource_version = version_, .items = {}};
  auto it = ns.empty() ? slots_.begin() : slots_.lower_bound({ns, ""});
  for (; it != slots_.end() && (ns.empty() || it->first.ns == ns); ++it) {
    listing.items.push_back(it->second.test);
  }
  return listing;
}

Result<std::vector<Change>> Cache::changes_since(uint64_t resource_version) const {
  const uint64_t oldest = ring_.empty() ? version_ : ring_.front().resource_version - 1;
  if (resource_version < oldest || resource_version > version_) {
    return fail(ErrorKind::Gone, "resource version " + std::to_string(resource_version) +
                                     " is not kept: found " + std::to_string(oldest) + " to " +
                                     std::to_string(version_) + "; list again");
  }
  const auto after =
      std::ranges::upper_bound(ring_, resource_version, {}, &Change::resource_version);
  return std::vector<Change>(after, ring_.end());
}

void Cache::publish(ChangeType type, const CachedTest& test) {
  ring_.push_back({type, ++version_, test.key(), test.uid()});
  if (ring_.size() > ring_size_) {
    ring_.pop_front();
  }
  // A callback may end any subscription, its own too, or begin one: go on by number.
  const Change change = ring_.back();
  const auto listeners = listeners_;
  auto it = listeners->callbacks.begin();
  while (it != listeners->callbacks.end()) {
    const uint64_t number = it->first;
    const auto callback = it->second;
    callback(change);
    it = listeners->callbacks.upper_bound(number);
  }
}

std::unique_ptr<Subscription> Cache::subscribe(std::function<void(const Change&)> callback) {
  class Handle final : public Subscription {
   public:
    Handle(std::weak_ptr<Listeners> listeners, uint64_t number)
        : listeners_(std::move(listeners)), number_(number) {}
    ~Handle() override {
      if (const auto listeners = listeners_.lock()) {
        listeners->callbacks.erase(number_);
      }
    }

   private:
    std::weak_ptr<Listeners> listeners_;
    uint64_t number_;
  };
  const uint64_t number = listeners_->next++;
  listeners_->callbacks.emplace(number, std::move(callback));
  return std::make_unique<Handle>(listeners_, number);
}

}  // namespace atq::engine
