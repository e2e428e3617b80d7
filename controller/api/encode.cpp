#include "controller/api/encode.hpp"

#include <nlohmann/json.hpp>

#include "controller/api/codec.hpp"
#include "controller/api/yaml_writer.hpp"

namespace atq::api {
namespace {

void write_metadata(JsonWriter& json, const ObjectMeta& metadata) {
  json.open("metadata");
  json.always_text("name", metadata.name);
  json.always_text("namespace", metadata.ns);
  json.text("uid", metadata.uid);
  json.text("resourceVersion", metadata.resource_version);
  json.number("generation", metadata.generation);
  json.map("labels", metadata.labels);
  json.map("annotations", metadata.annotations);
  json.time("creationTimestamp", metadata.creation_timestamp);
  json.time("deletionTimestamp", metadata.deletion_timestamp);
  json.list("finalizers", metadata.finalizers);
  json.close_keep();
}

}  // namespace

std::string encode_json(const LoadTest& test) {
  static const LoadTestStatus kNone;
  std::string out;
  out.reserve(8192);
  JsonWriter json(out);
  json.element();
  json.always_text("apiVersion", kApiVersion);
  json.always_text("kind", kKind);
  write_metadata(json, test.metadata);
  json.open("spec");
  write_spec(json, test.spec);
  json.close_keep();
  if (test.status != kNone) json.raw("status", encode_status(test.status));
  json.close_keep();
  out.shrink_to_fit();
  return out;
}

std::string encode_pretty_json(const LoadTest& test) {
  return nlohmann::ordered_json::parse(encode_json(test)).dump(2) + "\n";
}

std::string encode_yaml(const LoadTest& test) {
  return to_block_yaml(nlohmann::ordered_json::parse(encode_json(test)));
}

}  // namespace atq::api
