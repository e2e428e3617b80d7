#pragma once
// What the Service of a run carries: the whole record of the run, as annotations. Pure.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/api/profile.hpp"
#include "controller/core/world.hpp"
#include "src/base/error.hpp"

namespace atq::kubernetes {

inline constexpr std::string_view kKeyAnnotation = "atq.dev/key";        ///< "namespace/name"
inline constexpr std::string_view kUidAnnotation = "atq.dev/uid";        ///< of the LoadTest, whole
inline constexpr std::string_view kFrozenAnnotation = "atq.dev/frozen";  ///< FrozenSpec, packed
inline constexpr std::string_view kFilesAnnotation = "atq.dev/files";  ///< files of `path`, packed
inline constexpr std::string_view kCollectedAnnotation = "atq.dev/collected";
/// Of what is created inert: a nonce of the director that made it or found it at its start, then
/// how it went on. Every step is a JSON patch that tests the one before, so each happens once.
inline constexpr std::string_view kReleaseAnnotation = "atq.dev/release";
inline constexpr std::string_view kReleased = "released";
inline constexpr std::string_view kStopped = "stopped";      ///< after its release
inline constexpr std::string_view kWithdrawn = "withdrawn";  ///< before: nobody can release it

/// An API server takes 256 KiB of annotations an object (apimachinery
/// pkg/api/validation/objectmeta.go, TotalAnnotationSizeLimitB).
inline constexpr size_t kMaxAnnotationBytes = 256 * 1024;

/// A file of `path:`, which the frozen spec has only the name of.
struct PlacedFile {
  std::optional<core::Role> role;
  std::string name;
  std::string content;
  bool operator==(const PlacedFile&) const = default;
};

/// Short text as it is, else "z:" and base64 of deflated text.
std::string pack(std::string_view text);
/// Invalid for what is damaged or unpacks to more than 16 MiB.
Result<std::string> unpack(std::string_view packed);

std::string encode_files(const std::vector<PlacedFile>& files);
Result<std::vector<PlacedFile>> decode_files(std::string_view packed);

/// What collect() found.
struct Collected {
  std::optional<core::Statement> statement;
  std::map<std::string, std::string> diagnoses;  ///< "master/0" to the message
  bool operator==(const Collected&) const = default;
};
std::string encode(const Collected& collected);
Result<Collected> decode_collected(std::string_view text);

/// "worker/3"
std::string replica_key(core::Role role, int index);

}  // namespace atq::kubernetes
