#pragma once
// The structural part of the CRD's schema over a JSON document, with messages for people. Internal
// to api: decode_yaml and decode_json call it before they read the document into types.
//
// Decides as the API server does under fieldValidation=Strict, but for two things: it asks for
// metadata.name (where the server makes one from generateName), and takes 3.0 for an integer also
// where a CEL rule reads it. In particular null stands for an absent field or entry, and is a
// mistake as an item of a list.

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "controller/api/codec.hpp"

namespace atq::api {

/// Most problems that are listed of one document; one more then says that there are others.
inline constexpr size_t kMaxProblems = 100;

/// Everything wrong with a whole document (apiVersion, kind, metadata, spec, status), in the order
/// of the schema's walk; empty: structurally valid. Also decides the rule check-one-kind, as the
/// typed object cannot hold a check of two kinds. The names in a path are those of the document;
/// `path` elements are joined by dots, list positions in brackets. Values under `format: password`
/// never stand in a message. The document must not be nested deeper than Limits::max_depth where
/// the schema lets anything pass; it is not walked there. Thread-safe; the schema is compiled at
/// first use (about a millisecond) and kept.
std::vector<Problem> check_schema(const nlohmann::json& document);

/// All there is to say of a document: check_schema, and check_rules and check_semantics of what was
/// read from it, less what is only a consequence of a structural problem at the same place.
std::vector<Problem> check_document(const nlohmann::json& document, const LoadTest& test);

/// The compiled-in schema of the whole object as JSON, without descriptions; for tests.
std::string_view schema_json();

}  // namespace atq::api
