#include "controller/api/decode.hpp"

#include <nlohmann/json.hpp>

#include "controller/api/codec.hpp"
#include "controller/api/json_reader.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

ObjectMeta decode_metadata(const json& object) {
  ObjectMeta metadata;
  read(object, "name", metadata.name);
  read(object, "namespace", metadata.ns);
  read(object, "uid", metadata.uid);
  read(object, "resourceVersion", metadata.resource_version);
  read(object, "generation", metadata.generation);
  read(object, "labels", metadata.labels);
  read(object, "annotations", metadata.annotations);
  read(object, "creationTimestamp", metadata.creation_timestamp);
  read(object, "deletionTimestamp", metadata.deletion_timestamp);
  read(object, "finalizers", metadata.finalizers);
  return metadata;
}

Result<json> parse_trusted(std::string_view text, std::string_view what) {
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) {
    return fail(ErrorKind::Invalid, std::string(what) + ": found " +
                                        (text.empty() ? "no text" : "text that is no JSON") +
                                        ", expected a JSON object");
  }
  if (!document.is_object()) {
    return fail(ErrorKind::Invalid,
                std::string(what) + ": found " + document.type_name() + ", expected a JSON object");
  }
  return document;
}

}  // namespace

LoadTest decode_object(const json& document) {
  LoadTest test;
  if (const auto* metadata = member(document, "metadata")) {
    test.metadata = decode_metadata(*metadata);
  }
  if (const auto* spec = member(document, "spec")) test.spec = decode_spec_object(*spec);
  if (const auto* status = member(document, "status")) {
    test.status = decode_status_object(*status);
  }
  return test;
}

Result<LoadTest> decode_trusted(std::string_view text) {
  const auto document = parse_trusted(text, "LoadTest");
  if (!document) return std::unexpected(document.error());
  return decode_object(*document);
}

Result<LoadTestStatus> decode_status(std::string_view text) {
  const auto document = parse_trusted(text, "status");
  if (!document) return std::unexpected(document.error());
  return decode_status_object(*document);
}

Result<LoadTestSpec> decode_spec(std::string_view text) {
  const auto document = parse_trusted(text, "spec");
  if (!document) return std::unexpected(document.error());
  return decode_spec_object(*document);
}

}  // namespace atq::api
