#include "src/runtimes/kubernetes/names.hpp"

#include <cctype>
#include <limits>
#include <set>

#include <gtest/gtest.h>

namespace atq::kubernetes {
namespace {

bool is_dns_label(const std::string& name) {
  if (name.empty() || name.size() > 63 || name.front() == '-' || name.back() == '-') return false;
  for (const char sign : name) {
    const auto byte = static_cast<unsigned char>(sign);
    if (std::islower(byte) == 0 && std::isdigit(byte) == 0 && sign != '-') return false;
  }
  return std::isalpha(static_cast<unsigned char>(name.front())) != 0;
}

TEST(Names, AreDnsLabelsForAnyLoadTest) {
  const std::string longest(253, 'x');
  std::string dotted = longest;
  for (size_t i = 10; i < dotted.size(); i += 11) dotted[i] = '.';
  for (const std::string& name : {std::string("a"), std::string("7days.of-load"), longest, dotted,
                                  std::string("a.b"), std::string("9")}) {
    for (const int64_t number : {int64_t{1}, std::numeric_limits<int64_t>::max()}) {
      const std::string run = run_name({"3d1c2c54-uid", number}, name);
      EXPECT_TRUE(is_dns_label(run)) << run;
      for (const Part part : {Part::Worker, Part::Probe, Part::Master}) {
        EXPECT_TRUE(is_dns_label(object_name(run, part) + "-9999"));
      }
    }
  }
}

TEST(Names, StayTheSameForEver) {
  EXPECT_EQ(run_name({"3d1c2c54-uid", 4}, "checkout"), "checkout-4-d1b9d4d94c");
  EXPECT_EQ(object_name("checkout-4-x", Part::Network), "checkout-4-x");
  EXPECT_EQ(object_name("checkout-4-x", Part::Worker), "checkout-4-x-w");
}

TEST(Names, DifferByUidRunAndPart) {
  std::set<std::string> names;
  for (const char* uid : {"a", "b"}) {
    for (int run = 1; run <= 3; ++run) {
      for (const Part part : {Part::Network, Part::Worker, Part::Probe, Part::Master}) {
        names.insert(object_name(run_name({uid, run}, "same"), part));
      }
    }
  }
  EXPECT_EQ(names.size(), 24U);
}

TEST(Names, LabelsAreValid) {
  EXPECT_EQ(label_value("a/b c"), "a-b-c");
  EXPECT_EQ(label_value(std::string(62, 'a') + "..b"), std::string(62, 'a'));
  EXPECT_EQ(label_value("-.x_"), "x");
  const auto labels = labels_of({"uid-1", 2}, "checkout", Part::Worker);
  EXPECT_EQ(labels.at("atq.dev/role"), "worker");
  EXPECT_EQ(labels.at("atq.dev/run-id"), run_name({"uid-1", 2}, "checkout"));
  EXPECT_EQ(part_from("probe"), Part::Probe);
  EXPECT_EQ(part_from("x"), std::nullopt);
}

}  // namespace
}  // namespace atq::kubernetes
