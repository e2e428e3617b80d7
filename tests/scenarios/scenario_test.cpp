// Every *.yaml of this folder is a test.

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/scenarios/scenario_runner.hpp"

namespace atq::scenarios {
namespace {

std::vector<std::filesystem::path> stories() {
  std::vector<std::filesystem::path> files;
  const std::filesystem::path folder = std::filesystem::path(ATQ_SOURCE_DIR) / "tests/scenarios";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Scenario : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, Holds) {
  std::vector<std::string> failures;
  try {
    failures = Runner(GetParam()).play();
  } catch (const std::exception& error) {
    FAIL() << GetParam() << ": " << error.what();
  }
  for (const std::string& failure : failures) ADD_FAILURE() << failure;
}

INSTANTIATE_TEST_SUITE_P(Stories, Scenario, testing::ValuesIn(stories()), [](const auto& story) {
  std::string name = story.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Scenarios, AreMany) { EXPECT_GE(stories().size(), 25U); }

}  // namespace
}  // namespace atq::scenarios
