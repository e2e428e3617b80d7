// The conformance suite with real pods.

#include "tests/conformance/runtime_suite.hpp"
#include "tests/integration/kube/lab_environment.hpp"

namespace atq::kubernetes {
namespace {

[[maybe_unused]] const auto* const kEnvironment =
    ::testing::AddGlobalTestEnvironment(new LabEnvironment);

}  // namespace
}  // namespace atq::kubernetes

namespace atq::conformance {

INSTANTIATE_TYPED_TEST_SUITE_P(Kubernetes, RuntimeSuite, kubernetes::LabDriver);

}  // namespace atq::conformance
