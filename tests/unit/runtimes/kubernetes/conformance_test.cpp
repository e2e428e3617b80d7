#include "tests/conformance/runtime_suite.hpp"
#include "tests/unit/runtimes/kubernetes/fake_cluster.hpp"

namespace atq::conformance {

INSTANTIATE_TYPED_TEST_SUITE_P(KubernetesFake, RuntimeSuite, kubernetes::FakeCluster);

}  // namespace atq::conformance
