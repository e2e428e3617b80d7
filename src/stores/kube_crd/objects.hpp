#pragma once
// LoadTests to and from the API server's JSON. Pure.

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "controller/ports/store.hpp"

namespace atq::stores::kube {

/// Bookkeeping of others (managedFields, kubectl's copy of the object) is dropped. nullopt: it has
/// no name, namespace, uid or version, so it is no object at all.
std::optional<ports::StoredTest> read_test(nlohmann::json object);

/// metadata.resourceVersion; "" where there is none.
std::string version_of(const nlohmann::json& object);

/// For a POST: name, namespace, labels, annotations, spec.
nlohmann::json new_object(const api::LoadTest& test);

/// JSON patches, each refused with Conflict where `version` ("" = any) is not the stored one.
nlohmann::json spec_patch(const api::LoadTest& test);
/// Refused with Invalid where `uid` is another's.
nlohmann::json status_patch(const std::string& uid, const std::string& version,
                            const api::LoadTestStatus& status);

/// A merge patch.
nlohmann::json annotation_patch(const ports::AnnotationPatch& patch);

}  // namespace atq::stores::kube
