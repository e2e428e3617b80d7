#pragma once
// LeaseRecord to and from the API's JSON. Pure.

#include <nlohmann/json_fwd.hpp>

#include "src/locks/kube_lease/lease_machine.hpp"

namespace atq::locks {

/// Lenient: what is missing or of another type is empty, as any holder may have written it.
SeenLease read_lease(const nlohmann::json& object);

/// `object` (null: a new one) with the record in place of its own; what else stands in it stays.
nlohmann::json write_lease(nlohmann::json object, const std::string& ns, const std::string& name,
                           const LeaseRecord& record);

}  // namespace atq::locks
