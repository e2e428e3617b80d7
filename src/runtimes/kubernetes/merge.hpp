#pragma once
// Strategic merge of a user's pod template over ours, as `kubectl patch --type strategic` would do
// it: kubernetes/community contributors/devel/sig-api-machinery/strategic-merge-patch.md. The merge
// keys are those of core/v1 types.go (patchMergeKey). Pure.

#include <nlohmann/json_fwd.hpp>

#include "src/base/error.hpp"

namespace atq::kubernetes {

/// Objects are merged; null deletes a key; lists of objects with a merge key are merged by it, new
/// elements come last; every other list is replaced, as Kubernetes has it (tolerations too). An
/// object with `$patch: delete` deletes what it names, `$patch: replace` replaces it whole; in a
/// list `- $patch: replace` makes the rest of the list the whole of it. `$setElementOrder`,
/// `$deleteFromPrimitiveList` and `$retainKeys` are refused. Invalid: an element without its key.
Result<void> merge_pod_template(nlohmann::json& ours, const nlohmann::json& patch);

}  // namespace atq::kubernetes
