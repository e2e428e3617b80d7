#include "src/runtimes/process/run_record.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace atq::process {
namespace {

using Json = nlohmann::json;

Json to_json(const Place& place) {
  Json ports = Json::array();
  for (const auto& port : place.ports) {
    ports.push_back({{"name", port.name},
                     {"declared", port.declared},
                     {"actual", port.actual},
                     {"udp", port.udp}});
  }
  return {{"address", place.address}, {"ports", std::move(ports)}};
}

Place place_from(const Json& json) {
  Place place;
  place.address = json.at("address").get<std::string>();
  for (const auto& port : json.at("ports")) {
    place.ports.push_back({.name = port.at("name").get<std::string>(),
                           .declared = port.at("declared").get<int>(),
                           .actual = port.at("actual").get<int>(),
                           .udp = port.at("udp").get<bool>()});
  }
  return place;
}

}  // namespace

std::string encode(const RunRecord& record) {
  Json workers = Json::array();
  for (const auto& place : record.workers) workers.push_back(to_json(place));
  Json json = {{"uid", record.id.uid},
               {"number", record.id.number},
               {"namespace", record.key.ns},
               {"name", record.key.name},
               {"frozen", record.frozen},
               {"workers", std::move(workers)},
               {"allocatedPorts", record.allocated_ports},
               {"networkNamespaces", record.network_namespaces}};
  if (record.master) json["master"] = to_json(*record.master);
  return json.dump();
}

Result<RunRecord> decode_run_record(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    RunRecord record;
    record.id = {json.at("uid").get<std::string>(), json.at("number").get<int64_t>()};
    record.key = {json.at("namespace").get<std::string>(), json.at("name").get<std::string>()};
    record.frozen = json.at("frozen").get<std::string>();
    for (const auto& place : json.at("workers")) record.workers.push_back(place_from(place));
    if (json.contains("master")) record.master = place_from(json.at("master"));
    record.allocated_ports = json.at("allocatedPorts").get<bool>();
    record.network_namespaces = json.value("networkNamespaces", false);
    return record;
  } catch (const Json::exception& error) {
    return fail(ErrorKind::Invalid, std::string("no run record: ") + error.what());
  }
}

bool is_safe_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char sign) {
           const auto byte = static_cast<unsigned char>(sign);
           return byte > 0x20 && byte != 0x7f && sign != '/';
         });
}

std::string encode(const std::optional<core::Statement>& statement) {
  Json json = Json::object();
  if (statement) {
    json = {{"requests", statement->requests},
            {"failures", statement->failures},
            {"requestsPerSecond", statement->requests_per_second}};
  }
  return json.dump();
}

Result<std::optional<core::Statement>> decode_statement(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.empty()) return std::optional<core::Statement>();
    return core::Statement{.requests = json.at("requests").get<int64_t>(),
                           .failures = json.at("failures").get<int64_t>(),
                           .requests_per_second = json.at("requestsPerSecond").get<std::string>()};
  } catch (const Json::exception& error) {
    return fail(ErrorKind::Invalid, std::string("no statement: ") + error.what());
  }
}

namespace {
std::string name_of(core::Role role) { return role == core::Role::Worker ? "worker" : "master"; }
}  // namespace

std::filesystem::path RunFolder::files(core::Role role) const {
  return root / "files" / name_of(role);
}

std::filesystem::path RunFolder::replica(core::Role role, int index) const {
  if (role == core::Role::Master) return root / "master";
  return root / ("worker-" + std::to_string(index));
}

std::filesystem::path RunFolder::inert(core::Role role, const std::string& version) const {
  return root / ("inert-" + name_of(role) + "." + version);
}

std::filesystem::path RunFolder::released(core::Role role) const {
  return root / ("released-" + name_of(role));
}

RunFolder folder_of(const std::filesystem::path& data, const core::RunId& run) {
  return {data / "runs" / run.uid / std::to_string(run.number)};
}

}  // namespace atq::process
