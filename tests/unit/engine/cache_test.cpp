#include "controller/engine/cache.hpp"

#include <random>

#include <gtest/gtest.h>

namespace atq::engine {
namespace {

ports::StoredTest stored(const std::string& name, const std::string& uid,
                         const std::string& version) {
  ports::StoredTest test;
  test.test.metadata.name = name;
  test.test.metadata.uid = uid;
  test.test.metadata.resource_version = version;
  test.test.metadata.generation = 1;
  return test;
}

api::Key key(const std::string& name) { return {"default", name}; }

TEST(Versions, CompareByLengthThenBytesAndOnlyWhereTheyAreNumbers) {
  const auto less = std::strong_ordering::less;
  EXPECT_EQ(compare_versions("9", "10"), less);
  EXPECT_EQ(compare_versions("0", "1"), less);
  EXPECT_EQ(compare_versions("123", "123"), std::strong_ordering::equal);
  EXPECT_EQ(compare_versions("18446744073709551616", "340282366920938463463374607431768211455"),
            less);
  for (const auto& [a, b] : {std::pair{"", "1"}, {"01", "1"}, {"1a", "2"}, {"-1", "2"}}) {
    EXPECT_FALSE(compare_versions(a, b).has_value()) << a << " and " << b;
  }
}

TEST(Cache, GivesBackWhatWasStored) {
  Cache cache(100);
  auto test = stored("a", "u1", "7");
  test.test.spec.parameters = {{"host", "shop \"internal\"\n"}};
  test.test.status.phase = api::Phase::Master;
  test.problems.push_back({.path = "spec", .message = "found nothing", .rule = "schema"});
  cache.upsert(test);
  const CachedTestPtr held = cache.get(key("a"));
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(*held->decode(), test.test);
  EXPECT_EQ(held->problems(), test.problems);
  EXPECT_EQ(held->store_version(), "7");
  EXPECT_EQ(held->resource_version(), 101U);
  EXPECT_EQ(cache.find_uid("u1"), held);
  EXPECT_EQ(cache.find_uid("u2"), nullptr);
}

TEST(Cache, SameVersionIsNoChange) {
  Cache cache(0);
  EXPECT_TRUE(cache.upsert(stored("a", "u1", "7")).changed);
  EXPECT_FALSE(cache.upsert(stored("a", "u1", "7")).changed);
  EXPECT_EQ(cache.resource_version(), 1U);
  EXPECT_TRUE(cache.upsert(stored("a", "u1", "8")).changed);
}

TEST(Cache, ReplaceSaysWhatHasGone) {
  Cache cache(0);
  for (const char* name : {"a", "b", "c"}) {
    cache.upsert(stored(name, std::string("u") + name, "1"));
  }
  const uint64_t before = cache.resource_version();
  cache.begin_replace();
  cache.upsert(stored("a", "ua", "1"));
  cache.keep(key("c"));
  const auto gone = cache.end_replace();
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone.front()->uid(), "ub");
  const auto changes = cache.changes_since(before);
  ASSERT_TRUE(changes.has_value());
  ASSERT_EQ(changes->size(), 1U);
  EXPECT_EQ(changes->front(), (Change{ChangeType::Deleted, before + 1, key("b"), "ub"}));
}

TEST(Cache, AnotherUidIsADeletionAndAnAddition) {
  Cache cache(0);
  cache.upsert(stored("a", "u1", "1"));
  const auto applied = cache.upsert(stored("a", "u2", "1"));
  EXPECT_EQ(applied.before->uid(), "u1");
  const auto changes = cache.changes_since(1);
  ASSERT_EQ(changes->size(), 2U);
  EXPECT_EQ(changes->at(0).type, ChangeType::Deleted);
  EXPECT_EQ(changes->at(1).type, ChangeType::Added);
  EXPECT_EQ(cache.find_uid("u1"), nullptr);
  EXPECT_EQ(cache.remove(key("a"), "u1"), nullptr) << "that one has gone already";
}

TEST(Cache, ListsANamespaceInTheOrderOfKeys) {
  Cache cache(0);
  for (const auto& [ns, name] : {std::pair{"b", "x"}, {"a", "z"}, {"b", "a"}, {"c", "a"}}) {
    auto test = stored(name, std::string(ns) + name, "1");
    test.test.metadata.ns = ns;
    cache.upsert(test);
  }
  const Listing listing = cache.list("b");
  ASSERT_EQ(listing.items.size(), 2U);
  EXPECT_EQ(listing.items[0]->key(), (api::Key{"b", "a"}));
  EXPECT_EQ(listing.items[1]->key(), (api::Key{"b", "x"}));
  EXPECT_EQ(cache.list("").items.size(), 4U);
  EXPECT_EQ(listing.resource_version, cache.resource_version());
}

TEST(Cache, RingForgetsTheOldestAndKnowsNothingOfTheFuture) {
  Cache cache(1000, 4);
  for (int i = 1; i <= 10; ++i) {
    cache.upsert(stored("a", "u", std::to_string(i)));
  }
  EXPECT_EQ(cache.changes_since(1006)->size(), 4U);
  EXPECT_EQ(cache.changes_since(1010)->size(), 0U);
  EXPECT_EQ(cache.changes_since(1005).error().kind, ErrorKind::Gone);
  EXPECT_EQ(cache.changes_since(1011).error().kind, ErrorKind::Gone);
}

TEST(Cache, ListenersMayEndThemselvesAndEachOther) {
  Cache cache(0);
  std::unique_ptr<Subscription> first, second;
  int firsts = 0, seconds = 0;
  first = cache.subscribe([&](const Change&) {
    ++firsts;
    second.reset();
    first.reset();
  });
  second = cache.subscribe([&](const Change&) { ++seconds; });
  cache.upsert(stored("a", "u", "1"));
  cache.upsert(stored("a", "u", "2"));
  EXPECT_EQ(firsts, 1);
  EXPECT_EQ(seconds, 0);
}

/// Whoever lists and then follows the changes knows what the cache has.
TEST(Cache, ListAndChangesLeadToTheSame) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](int to) { return std::uniform_int_distribution<int>(0, to)(random); };
    Cache cache(seed);
    std::map<api::Key, std::string> known;
    uint64_t at = cache.resource_version();
    for (int i = 0; i < 300; ++i) {
      const std::string name(1, static_cast<char>('a' + pick(4)));
      const std::string uid = name + std::to_string(pick(1));
      if (pick(3) == 0) {
        cache.remove(key(name), uid);
      } else {
        cache.upsert(stored(name, uid, std::to_string(pick(5))));
      }
      if (pick(9) == 0) {
        const auto changes = cache.changes_since(at);
        ASSERT_TRUE(changes.has_value());
        for (const Change& change : *changes) {
          ASSERT_GT(change.resource_version, at);
          at = change.resource_version;
          if (change.type == ChangeType::Deleted) {
            known.erase(change.key);
          } else {
            known[change.key] = change.uid;
          }
        }
        std::map<api::Key, std::string> truth;
        const Listing listing = cache.list("");
        for (const CachedTestPtr& test : listing.items) {
          truth[test->key()] = test->uid();
        }
        ASSERT_EQ(known, truth);
      }
    }
  }
}

}  // namespace
}  // namespace atq::engine
