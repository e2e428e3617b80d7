// A YAML stream of a user: LoadTests, and a tool profile.
#include "controller/api/codec.hpp"
#include "controller/api/profile.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace atq;
  const auto text = fuzz::text_of(data, size);
  for (const auto& document : api::decode_yaml(text)) {
    if (document.foreign || !document.problems.empty()) {
      (void)api::to_string(document.problems);
      continue;
    }
    // A valid object is the same after it was written and read, whichever way.
    const std::string json = api::encode_json(document.test);
    const auto from_json = api::decode_json(json);
    fuzz::check(from_json.problems.empty(), "an encoded object is valid JSON of the schema");
    fuzz::check(api::encode_json(from_json.test) == json, "JSON is a fixed point");
    const auto from_yaml = api::decode_yaml(api::encode_yaml(document.test));
    fuzz::check(from_yaml.size() == 1 && from_yaml[0].problems.empty(),
                "an encoded object is valid YAML of the schema");
    fuzz::check(api::encode_json(from_yaml[0].test) == json, "YAML is a fixed point");
    (void)api::resolve(document.test.spec);
  }
  (void)api::parse_profile(text);
  return 0;
}
