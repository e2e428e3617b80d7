#include "src/runtimes/kubernetes/record.hpp"

#include <array>
#include <zlib.h>

#include <nlohmann/json.hpp>

#include "src/base/base64.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kPacked = "z:";
/// Up to here packing gains little. Many finished runs are held in memory.
constexpr size_t kPackFrom = 1024;
constexpr size_t kMaxUnpacked = size_t{16} << 20;

std::unexpected<Error> damaged(const std::string& why) {
  return fail(ErrorKind::Invalid, "the run's record is damaged: " + why);
}

}  // namespace

std::string pack(std::string_view text) {
  if (text.size() < kPackFrom && !text.starts_with(kPacked)) return std::string(text);
  uLongf size = compressBound(text.size());
  std::string bytes(size, '\0');
  compress2(reinterpret_cast<Bytef*>(bytes.data()), &size,
            reinterpret_cast<const Bytef*>(text.data()), text.size(), Z_BEST_COMPRESSION);
  bytes.resize(size);
  return std::string(kPacked) + encode_base64(bytes);
}

Result<std::string> unpack(std::string_view packed) {
  if (!packed.starts_with(kPacked)) return std::string(packed);
  const auto bytes = decode_base64(packed.substr(kPacked.size()));
  if (!bytes) return damaged("no base64");
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return fail(ErrorKind::Internal, "inflate cannot begin");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes->data()));
  stream.avail_in = static_cast<uInt>(bytes->size());
  std::string text;
  std::array<char, 32 * 1024> piece{};
  int state = Z_OK;
  while (state == Z_OK && text.size() <= kMaxUnpacked) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&stream, Z_NO_FLUSH);
    text.append(piece.data(), piece.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (text.size() > kMaxUnpacked) return damaged("it unpacks to more than 16 MiB");
  if (state != Z_STREAM_END) return damaged("it does not inflate");
  return text;
}

std::string encode_files(const std::vector<PlacedFile>& files) {
  Json list = Json::array();
  for (const auto& file : files) {
    Json one = {{"name", file.name}, {"content", file.content}};
    if (file.role) one["role"] = core::to_string(*file.role);
    list.push_back(std::move(one));
  }
  return pack(list.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Result<std::vector<PlacedFile>> decode_files(std::string_view packed) {
  std::vector<PlacedFile> files;
  if (packed.empty()) return files;
  const auto text = unpack(packed);
  if (!text) return std::unexpected(text.error());
  try {
    for (const auto& one : Json::parse(*text)) {
      PlacedFile file{.role = {}, .name = one.at("name"), .content = one.at("content")};
      const std::string role = one.value("role", "");
      if (!role.empty()) file.role = role == "master" ? core::Role::Master : core::Role::Worker;
      files.push_back(std::move(file));
    }
    return files;
  } catch (const Json::exception& error) {
    return damaged(error.what());
  }
}

std::string encode(const Collected& collected) {
  Json json = Json::object();
  if (collected.statement) {
    json["requests"] = collected.statement->requests;
    json["failures"] = collected.statement->failures;
    json["requestsPerSecond"] = collected.statement->requests_per_second;
  }
  if (!collected.diagnoses.empty()) json["diagnoses"] = collected.diagnoses;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Collected> decode_collected(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    Collected collected;
    if (json.contains("requests")) {
      collected.statement = core::Statement{.requests = json.at("requests"),
                                            .failures = json.at("failures"),
                                            .requests_per_second = json.at("requestsPerSecond")};
    }
    if (json.contains("diagnoses")) {
      collected.diagnoses = json.at("diagnoses").get<std::map<std::string, std::string>>();
    }
    return collected;
  } catch (const Json::exception& error) {
    return damaged(error.what());
  }
}

std::string replica_key(core::Role role, int index) {
  return std::string(core::to_string(role)) + "/" + std::to_string(index);
}

}  // namespace atq::kubernetes
