// Records of the directory store after a crash of the disk, and what it makes of a source file.
#include "src/stores/directory/ingest.hpp"
#include "src/stores/directory/record.hpp"
#include "src/stores/directory/splice.hpp"
#include "tests/fuzz/check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  using namespace atq;
  using namespace atq::stores::directory;
  const auto text = fuzz::text_of(data, size);
  if (const auto record = decode_record(text)) {
    const std::string encoded = encode_record(*record);
    const auto again = decode_record(encoded);
    fuzz::check(again && encode_record(*again) == encoded, "a record is a fixed point");
    (void)to_stored(*record);
  }
  const auto ingested = ingest(text, "team");
  for (const auto& candidate : ingested.candidates) {
    fuzz::check(candidate.test.metadata.ns == "team", "the folder decides the namespace");
    (void)splice(text, candidate.line, "a: 1\n");
    (void)splice(text, candidate.line, "");
  }
  fuzz::check(!ingested.broken || !ingested.messages.empty(), "a broken file says why");
  return 0;
}
