#pragma once
// What a run leaves on disk so that any later director can go on with it: DATA/runs/UID/NUMBER.
//
//   run.json            RunRecord, durable; its rename is the moment the run exists
//   files/worker, files/master   the files of a role as given, read-only
//   worker-N/, master/  one folder a replica (src/agent/protocol.hpp)
//   checks/             checks.json, report.jsonl, prober.json, `stopped` when they are over
//   inert-ROLE.VERSION  the right to release a role, for whoever knows VERSION: released by
//   renaming
//                       it to released-ROLE, which can succeed only once. A new director renames it
//                       to a version of its own, so that the old one's release fails
//   collected.json      what collect() read

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/world.hpp"
#include "src/base/error.hpp"

namespace atq::process {

/// A declared port and the number it really has for one replica.
struct PortPlace {
  std::string name;
  int declared = 0;
  int actual = 0;
  bool udp = false;
  bool operator==(const PortPlace&) const = default;
};

/// Where one replica lives.
struct Place {
  std::string address;
  std::vector<PortPlace> ports;
  bool operator==(const Place&) const = default;
};

struct RunRecord {
  core::RunId id;
  api::Key key;
  std::string frozen;  ///< api::encode_frozen
  std::vector<Place> workers;
  std::optional<Place> master;
  bool allocated_ports = false;     ///< `actual` numbers are reserved machine-wide
  bool network_namespaces = false;  ///< one for each replica, see networks.hpp
  bool operator==(const RunRecord&) const = default;
};

std::string encode(const RunRecord& record);
/// Invalid with what is wrong.
Result<RunRecord> decode_run_record(std::string_view json);

inline constexpr size_t kMaxRecordBytes = size_t{32} << 20;

/// True for what may be a folder's name below runs/: no separator, no leading dot, at most 200
/// bytes.
bool is_safe_name(std::string_view name);

std::string encode(const std::optional<core::Statement>& statement);
Result<std::optional<core::Statement>> decode_statement(std::string_view json);

/// Paths of a run.
struct RunFolder {
  std::filesystem::path root;

  std::filesystem::path record() const { return root / "run.json"; }
  std::filesystem::path collected() const { return root / "collected.json"; }
  std::filesystem::path checks() const { return root / "checks"; }
  std::filesystem::path files(core::Role role) const;
  std::filesystem::path replica(core::Role role, int index) const;
  std::filesystem::path inert(core::Role role, const std::string& version) const;
  std::filesystem::path released(core::Role role) const;
};

/// DATA/runs/UID/NUMBER
RunFolder folder_of(const std::filesystem::path& data, const core::RunId& run);

}  // namespace atq::process
