#include "src/base/expand.hpp"

#include <gtest/gtest.h>

namespace atq {
namespace {

TEST(Expand, FollowsKubernetes) {
  const std::map<std::string, std::string> variables = {{"A", "1"}, {"B", "$(A)"}, {"EMPTY", ""}};
  EXPECT_EQ(expand_variables("x$(A)y", variables), "x1y");
  EXPECT_EQ(expand_variables("$(B)", variables), "$(A)") << "values are not expanded again";
  EXPECT_EQ(expand_variables("$$(A)", variables), "$(A)");
  EXPECT_EQ(expand_variables("$$$(A)", variables), "$1");
  EXPECT_EQ(expand_variables("$(UNKNOWN) $(EMPTY)|", variables), "$(UNKNOWN) |");
  EXPECT_EQ(expand_variables("$(A", variables), "$(A");
  EXPECT_EQ(expand_variables("cost: 5$", variables), "cost: 5$");
  EXPECT_EQ(expand_variables("", variables), "");
}

}  // namespace
}  // namespace atq
