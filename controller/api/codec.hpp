#pragma once
// LoadTest to and from JSON and YAML. The only place in the pure layers that knows nlohmann/json
// and yaml-cpp; neither stands in this header.
//
// Decoding reports every problem of a document at once and still returns what could be read, so
// that a store can show an object whose spec is wrong. YAML scalars mean what kubectl takes them
// for (YAML 1.1 by way of JSON: unquoted yes/no/on/off are booleans, 0777 is 511, 1e3 is a number,
// null and ~ are null, quoted scalars are strings); duplicate keys are refused; anchors and aliases
// are bounded.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "controller/api/types.hpp"
#include "src/base/error.hpp"

namespace atq::api {

/// One thing wrong with a document.
struct Problem {
  std::string
      path;  ///< "spec.worker.replicas", "spec.healthCheck.checks[0].tcp.port"; "" = the document
  std::string message;  ///< "found string \"three\", expected an integer from 1 to 1000"
  std::string
      rule;  ///< CEL rule id or "schema", "unknown-field", "duplicate-key", "syntax", "semantic"
  int line = 0;  ///< 1-based, 0 where unknown (JSON)
  int column = 0;
  bool operator==(const Problem&) const = default;
};

/// "line 4, column 9: spec.worker.replicas: found …"; without position: "spec.worker.replicas:
/// found …".
std::string to_string(const Problem& problem);
/// All of them, one a line.
std::string to_string(const std::vector<Problem>& problems);

struct Limits {
  size_t max_bytes = 1'500'000;  ///< of a document (etcd's bound for an object)
  size_t max_depth = 64;
  size_t max_nodes = 100'000;    ///< after aliases are expanded
  size_t max_documents = 1'000;  ///< in one YAML stream
};

/// One document of a YAML stream.
struct Document {
  LoadTest test;                  ///< what could be read; metadata.name is empty where it could not
  std::vector<Problem> problems;  ///< syntax, schema, rules and semantics; empty: valid
  int line = 1;                   ///< where the document starts
  bool foreign = false;  ///< well-formed, but of another apiVersion or kind: not ours, no problem
};

/// A stream of documents (separated by ---; empty ones are skipped). A syntax error ends the
/// stream: the documents before it are returned and the last has the problem. Never throws; memory
/// is bounded by `limits`.
std::vector<Document> decode_yaml(std::string_view text, const Limits& limits = {});

/// One JSON document, as an API server or our own files hold it.
Document decode_json(std::string_view text, const Limits& limits = {});

/// Decodes without validating: for what was encoded by us (cache, state files). Unknown fields are
/// ignored.
Result<LoadTest> decode_trusted(std::string_view json);
Result<LoadTestStatus> decode_status(std::string_view json);
Result<LoadTestSpec> decode_spec(std::string_view json);

/// Compact JSON, fields in the schema's order; what is empty, zero or false is left out, unless
/// that differs from the schema's default. encode(decode(x)) is a fixed point. Times carry
/// milliseconds: what is finer is cut off. Text that is not UTF-8 has U+FFFD for its ill-formed
/// parts.
std::string encode_json(const LoadTest& test);
/// Below kMaxStatusBytes: messages, then addresses, artifacts and thresholds are shortened where it
/// would be more; what the state machine reads back stays whole.
std::string encode_status(const LoadTestStatus& status);
std::string encode_spec(const LoadTestSpec& spec);
/// Indented, for people.
std::string encode_pretty_json(const LoadTest& test);
/// YAML for people: block style, strings quoted where a reader would take them for something else.
std::string encode_yaml(const LoadTest& test);

/// Hash of the encoded spec without runNonce and runPolicy.suspend: changes when a new run would
/// differ.
std::string spec_hash(const LoadTestSpec& spec);

}  // namespace atq::api
