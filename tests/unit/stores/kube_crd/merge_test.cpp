#include "src/stores/kube_crd/merge.hpp"

#include "tests/conformance/store_suite.hpp"

namespace atq::stores::kube {
namespace {

using conformance::RecordingSink;

ports::StoredTest make(const std::string& ns, const std::string& name, const std::string& uid) {
  ports::StoredTest stored{.test = conformance::load_test(name), .problems = {}};
  stored.test.metadata.ns = ns;
  stored.test.metadata.uid = uid;
  return stored;
}

TEST(Merge, SaysNothingWholeBeforeAllHaveTold) {
  RecordingSink sink;
  Merge merge(sink, 2);
  merge.replace_begin(0);
  merge.replace_add(0, make("a", "x", "1"));
  merge.replace_end(0);
  EXPECT_EQ(sink.replaces, 0);
  merge.upsert(0, make("a", "y", "2"));  // the first watch goes on meanwhile
  merge.remove(0, {"a", "x"}, "1");
  merge.replace_begin(1);
  merge.replace_add(1, make("b", "z", "3"));
  merge.replace_end(1);
  EXPECT_EQ(sink.replaces, 1);
  EXPECT_EQ(sink.objects.size(), 2U);
  EXPECT_EQ(sink.removed, std::vector<std::string>{"1"});
}

TEST(Merge, ListThatBreaksAndBeginsAnewLeavesNothingBehind) {
  RecordingSink sink;
  Merge merge(sink, 2);
  merge.replace_begin(0);
  merge.replace_add(0, make("a", "x", "1"));
  merge.replace_add(0, make("a", "y", "2"));
  merge.replace_begin(0);
  merge.replace_add(0, make("a", "y", "2"));
  merge.replace_end(0);
  merge.replace_begin(1);
  merge.replace_end(1);
  EXPECT_EQ(sink.objects.size(), 1U);
  EXPECT_EQ(sink.removed, std::vector<std::string>{"1"});
}

TEST(Merge, LaterListIsTheTruthOfItsOwnNamespaceAlone) {
  RecordingSink sink;
  Merge merge(sink, 2);
  for (size_t i = 0; i < 2; ++i) {
    merge.replace_begin(i);
    merge.replace_add(i, make(i == 0 ? "a" : "b", "x", std::to_string(i)));
    merge.replace_end(i);
  }
  ASSERT_EQ(sink.replaces, 1);
  merge.replace_begin(0);
  merge.replace_add(0, make("a", "new", "7"));
  merge.replace_end(0);
  EXPECT_EQ(sink.replaces, 1);
  EXPECT_EQ(sink.objects.size(), 2U);
  EXPECT_EQ(sink.removed, std::vector<std::string>{"0"});
  EXPECT_NE(sink.find({"b", "x"}), nullptr);
}

TEST(Merge, RemovedTwiceIsToldOnce) {
  RecordingSink sink;
  Merge merge(sink, 2);
  for (size_t i = 0; i < 2; ++i) {
    merge.replace_begin(i);
    merge.replace_end(i);
  }
  merge.upsert(0, make("a", "x", "1"));
  merge.remove(0, {"a", "x"}, "1");
  merge.remove(0, {"a", "x"}, "1");
  EXPECT_EQ(sink.removed, std::vector<std::string>{"1"});
}

TEST(Merge, OneWatchPassesThrough) {
  RecordingSink sink;
  Merge merge(sink, 1);
  for (int round = 1; round <= 2; ++round) {
    merge.replace_begin(0);
    merge.replace_add(0, make("a", "x" + std::to_string(round), "1"));
    merge.replace_end(0);
    EXPECT_EQ(sink.replaces, round);
    EXPECT_EQ(sink.objects.size(), 1U);
  }
}

}  // namespace
}  // namespace atq::stores::kube
