#include "tests/conformance/runtime_suite.hpp"
#include "tests/integration/runtime_process/process_driver.hpp"

namespace atq::conformance {

INSTANTIATE_TYPED_TEST_SUITE_P(Process, RuntimeSuite, process::ProcessDriver);

}  // namespace atq::conformance
