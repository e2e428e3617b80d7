// runPolicy.suspend holds the start of the next run. It never touches a running one.

#include "controller/core/policies.hpp"

namespace atq::core {

bool is_suspended(const Pass& pass) { return pass.test.spec.run_policy.suspend; }

}  // namespace atq::core
