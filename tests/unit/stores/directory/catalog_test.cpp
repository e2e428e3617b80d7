// The list of objects in pieces, and what changes between them; the catalog alone, no event loop.
#include "src/stores/directory/catalog.hpp"

#include "tests/unit/stores/directory/fixture.hpp"

namespace atq::stores::directory {
namespace {

constexpr int kTests = 300;  // more than a piece, and more than are synced one by one

std::string name_of(int number) { return "t-" + std::to_string(1000 + number); }

class Listing : public ::testing::Test {
 protected:
  Listing() {
    std::filesystem::create_directories(folder_.path() / "tests");
    for (int i = 0; i < kTests; ++i) {
      write_file(folder_.path() / "tests" / (name_of(i) + ".yaml"), yaml_of(name_of(i)));
    }
    catalog_ = start();
  }

  std::unique_ptr<Catalog> start() {
    auto catalog = std::make_unique<Catalog>(options_);
    catalog->set_now(TimePoint(std::chrono::seconds(1)));
    EXPECT_TRUE(catalog->load());
    return catalog;
  }

  /// Names and uids of the whole list.
  static std::map<std::string, std::string> list(Catalog& catalog) {
    std::map<std::string, std::string> all;
    catalog.begin_listing();
    for (bool more = true; more;) {
      more = catalog.list_some();
      for (const auto& stored : catalog.take_changes().listed) {
        all[stored.test.metadata.name] = stored.test.metadata.uid;
      }
    }
    return all;
  }

  TemporaryFolder folder_;
  Options options_ = resolve_options({.source = folder_.path() / "tests", .data = folder_.path()});
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(Listing, ManyNewTestsKeepTheirUidsOverARestart) {
  const auto first = list(*catalog_);
  EXPECT_EQ(first.size(), size_t{kTests});
  catalog_.reset();
  const auto again = start();
  EXPECT_EQ(list(*again), first);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "store/default")) {
    EXPECT_EQ(entry.path().extension(), ".json") << entry.path();
  }
}

TEST_F(Listing, WhatChangesMeanwhileIsToldAfterIt) {
  catalog_->begin_listing();
  ASSERT_TRUE(catalog_->list_some());
  const auto first = catalog_->take_changes();
  EXPECT_TRUE(first.list_begins);
  ASSERT_FALSE(first.listed.empty());
  ASSERT_LT(first.listed.size(), size_t{kTests});
  const api::Key told{"default", name_of(0)};
  const api::Key gone{"default", name_of(1)};
  const api::Key later{"default", name_of(kTests - 1)};
  ASSERT_TRUE(catalog_->annotate(told, {{"a", "1"}}));
  ASSERT_TRUE(catalog_->annotate(later, {{"a", "1"}}));
  ASSERT_TRUE(catalog_->remove(gone, {}));
  const auto between = catalog_->take_changes();
  EXPECT_TRUE(between.each.empty());
  EXPECT_FALSE(between.problems);

  size_t listed = first.listed.size();
  Changes last;
  for (bool more = true; more;) {
    more = catalog_->list_some();
    last = catalog_->take_changes();
    EXPECT_EQ(last.list_ends, !more);
    listed += last.listed.size();
  }
  EXPECT_EQ(listed, size_t{kTests});
  EXPECT_EQ(last.listed.back().test.metadata.annotations.at("a"), "1");
  ASSERT_EQ(last.each.size(), 2U);
  const auto* changed = std::get_if<ports::StoredTest>(&last.each[0]);
  ASSERT_NE(changed, nullptr);
  EXPECT_EQ(changed->test.metadata.annotations.at("a"), "1");
  const auto* deleting = std::get_if<ports::StoredTest>(&last.each[1]);
  ASSERT_NE(deleting, nullptr);
  EXPECT_EQ(deleting->test.metadata.name, gone.name);
  EXPECT_TRUE(deleting->test.metadata.deletion_timestamp);
  EXPECT_TRUE(last.problems);
}

}  // namespace
}  // namespace atq::stores::directory
