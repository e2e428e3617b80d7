// The conformance suite with real pods.

#include "tests/conformance/runtime_suite.hpp"
#include "tests/integration/kube/lab_driver.hpp"

namespace atq::kubernetes {
namespace {

class LabEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    if (!Lab::is_up()) GTEST_SKIP() << "no lab: eval \"$(hack/lab kubernetes env)\"";
    Lab().create_namespace();
  }
  void TearDown() override {
    if (Lab::is_up()) Lab().delete_namespace();
  }
};

[[maybe_unused]] const auto* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new LabEnvironment);

}  // namespace
}  // namespace atq::kubernetes

namespace atq::conformance {

INSTANTIATE_TYPED_TEST_SUITE_P(Kubernetes, RuntimeSuite, kubernetes::LabDriver);

}  // namespace atq::conformance
