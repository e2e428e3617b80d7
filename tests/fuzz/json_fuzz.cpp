// JSON from an API server, from a client, and from our own files after a crash.
#include "controller/api/codec.hpp"
#include "controller/api/profile.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace atq;
  const auto text = fuzz::text_of(data, size);
  const auto document = api::decode_json(text);
  if (!document.foreign && document.problems.empty()) {
    const std::string json = api::encode_json(document.test);
    fuzz::check(api::encode_json(api::decode_json(json).test) == json, "JSON is a fixed point");
    const auto trusted = api::decode_trusted(json);
    fuzz::check(trusted.has_value(), "what we encode we decode");
    fuzz::check(api::encode_json(*trusted) == json, "both decoders agree");
  }
  if (const auto test = api::decode_trusted(text)) {
    const std::string json = api::encode_json(*test);
    const auto again = api::decode_trusted(json);
    fuzz::check(again && api::encode_json(*again) == json, "the trusted decoder has a fixed point");
  }
  if (const auto status = api::decode_status(text)) {
    const std::string json = api::encode_status(*status);
    const auto again = api::decode_status(json);
    fuzz::check(again && api::encode_status(*again) == json, "a status is a fixed point");
  }
  (void)api::decode_spec(text);
  (void)api::decode_frozen(text);
  return 0;
}
