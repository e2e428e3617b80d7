#pragma once
// Skips a program's tests where there is no lab; else makes their namespace and removes it.

#include "tests/integration/kube/lab_driver.hpp"

namespace atq::kubernetes {

class LabEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    // GoogleTest counts tests as passed that their environment skips; ctest knows them by this
    // mark.
    if (!Lab::is_up()) GTEST_SKIP() << "[  SKIPPED ] no lab: eval \"$(hack/lab kubernetes env)\"";
    Lab().create_namespace();
  }
  void TearDown() override {
    if (Lab::is_up()) Lab().delete_namespace();
  }
};

}  // namespace atq::kubernetes
