#pragma once
// What the store keeps of one LoadTest under DATA/store/<namespace>/<name>.json, and its codec.
// Pure.
//
// The file is one JSON object on three lines: the store's own state, the spec as last accepted, and
// the status. A status write therefore copies the spec's line without reading it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/ports/store.hpp"

namespace atq::stores::directory {

/// Keeps a deleted object until the engine has cleaned up after it.
inline constexpr std::string_view kFinalizer = "atq.dev/cleanup";

/// Where an object was last read from.
struct Provenance {
  std::string root;    ///< the store's folder, absolute
  std::string source;  ///< path of the file below it
  int line = 1;        ///< where the document starts
  uint64_t hash = 0;   ///< fnv1a of the whole file
  int documents = 0;   ///< LoadTests of the file, all of them taken; 0: not all were
  std::string reader;  ///< version of the program that validated it
  bool operator==(const Provenance&) const = default;
};

struct Record {
  api::Key key;
  std::string uid;
  int64_t generation = 1;
  uint64_t version = 0;  ///< resource_version
  TimePoint created{};
  std::optional<TimePoint> deleted;
  Provenance from;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;  ///< of the YAML
  ports::AnnotationPatch requests;                 ///< laid over them; nullopt hides one
  std::vector<api::Problem> problems;
  std::string spec;    ///< JSON of api::encode_spec
  std::string status;  ///< JSON of api::encode_status; "" = none yet
};

std::string encode_record(const Record& record);

/// Invalid for anything encode_record() does not write (an empty or cut file).
Result<Record> decode_record(std::string_view text);

/// The object as ports show it. Internal where spec or status cannot be read.
Result<ports::StoredTest> to_stored(const Record& record);

/// Lays the patch over the record's requests; true if that changed what the object shows.
bool merge_requests(Record& record, const ports::AnnotationPatch& patch);

}  // namespace atq::stores::directory
