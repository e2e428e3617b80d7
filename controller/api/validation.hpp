#pragma once
// Whether a LoadTest is one: the CRD's schema (crd/loadtests.atq.dev.yaml, compiled in), one
// predicate for each of its CEL rule ids, and the semantics that a schema cannot say (thresholds
// parse, regular expressions compile, files named exist in form). decode_yaml and decode_json call
// it all; the store's admission too.

#include <vector>

#include "controller/api/codec.hpp"

namespace atq::api {

/// The predicates of the CEL rules, over the typed object. Problems have rule = the rule's id.
std::vector<Problem> check_rules(const LoadTest& test);

/// What the API server stores and the director then refuses with Accepted=False. rule = "semantic".
std::vector<Problem> check_semantics(const LoadTest& test);

/// Ids of every rule that check_rules knows; a test holds them against the CRD's
/// x-kubernetes-validations.
std::vector<std::string> rule_ids();

}  // namespace atq::api
