// The port's calls on the catalog.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/stores/directory/catalog.hpp"
#include "src/stores/directory/names.hpp"
#include "src/stores/directory/splice.hpp"

namespace atq::stores::directory {
namespace {

std::unexpected<Error> not_found(const api::Key& key) {
  return fail(ErrorKind::NotFound, "no LoadTest " + api::to_string(key));
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

/// spec.files[i].path and the roles' that do not lead to a file, as problems.
void check_files(const std::vector<api::FileSource>& files, const std::string& where, int folder,
                 const std::string& folder_name, std::vector<api::Problem>& problems) {
  for (size_t i = 0; i < files.size(); ++i) {
    if (files[i].path.empty()) continue;
    const std::string at = where + "[" + std::to_string(i) + "].path";
    const auto opened = open_beneath(folder, files[i].path, O_PATH);
    struct stat info{};
    std::string message;
    if (!opened && opened.error().kind == ErrorKind::Forbidden) {
      message = "file " + quoted(files[i].path) + " lies outside the folder of the YAML file, " +
                folder_name + "; copy it there";
    } else if (!opened) {
      message = "file " + quoted(files[i].path) + " not found in " + folder_name;
    } else if (::fstat(opened->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
      message = quoted(files[i].path) + " in " + folder_name + " is no regular file";
    }
    if (!message.empty()) problems.push_back({at, std::move(message), "semantic", 0, 0});
  }
}

bool names_files(const api::LoadTestSpec& spec) {
  const auto any = [](const auto& files) {
    return std::ranges::any_of(files, [](const auto& file) { return !file.path.empty(); });
  };
  return any(spec.files) || any(spec.worker.role.files) || (spec.master && any(spec.master->files));
}

}  // namespace

/// The object with what its files are now: they may come after the YAML.
Result<ports::StoredTest> Catalog::present(const Record& record) {
  auto stored = to_stored(record);
  if (!stored) return stored;
  missing_files_.erase(record.key);
  const auto& spec = stored->test.spec;
  if (record.deleted || !root_ || !names_files(spec)) return stored;
  const std::string folder = folder_of(record.from.source);
  const auto opened = open_beneath(root_.get(), folder.empty() ? "." : folder, O_PATH);
  if (!opened) return stored;  // the folder is gone, and the object soon
  const std::string name = folder.empty() ? options_.root : options_.root + "/" + folder;
  const size_t before = stored->problems.size();
  check_files(spec.files, "spec.files", opened->get(), name, stored->problems);
  check_files(spec.worker.role.files, "spec.worker.files", opened->get(), name, stored->problems);
  if (spec.master) {
    check_files(spec.master->files, "spec.master.files", opened->get(), name, stored->problems);
  }
  if (stored->problems.size() > before) missing_files_.insert(record.key);
  return stored;
}

Result<Record> Catalog::find_record(const api::Key& key, const std::string& uid) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return not_found(key);
  if (!uid.empty() && entry->second.uid != uid) {
    return fail(ErrorKind::Conflict, "LoadTest " + api::to_string(key) +
                                         " is another object now: found uid " + entry->second.uid +
                                         ", expected " + uid);
  }
  return state_->read(key);
}

Result<void> Catalog::save(Record& record) {
  record.version = next_version();
  auto written = state_->write(record);
  if (written) emit(record);
  return written;
}

Result<ports::StoredTest> Catalog::get(const api::Key& key) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) return not_found(key);
  if (!entry->second.deleting) {  // the file may have changed a moment ago
    const auto source = sources_.find(entry->second.source);
    if (source != sources_.end() && source->second.stamp != stamp_of(root_.get(), source->first)) {
      check(source->first, Why::Noticed);
    }
  }
  const auto record = find_record(key, {});
  if (!record) return std::unexpected(record.error());
  return present(*record);
}

Result<std::string> Catalog::update_status(const api::Key& key, const std::string& uid,
                                           const std::string& resource_version,
                                           const api::LoadTestStatus& status) {
  auto record = find_record(key, uid);
  if (!record) return std::unexpected(record.error());
  if (std::to_string(record->version) != resource_version) {
    return fail(ErrorKind::Conflict,
                "LoadTest " + api::to_string(key) + " has changed: found version " +
                    std::to_string(record->version) + ", expected " + resource_version);
  }
  record->status = api::encode_status(status);
  if (auto saved = save(*record); !saved) return std::unexpected(saved.error());
  return std::to_string(record->version);
}

Result<ports::StoredTest> Catalog::annotate(const api::Key& key,
                                            const ports::AnnotationPatch& patch) {
  auto record = find_record(key, {});
  if (!record) return std::unexpected(record.error());
  if (merge_requests(*record, patch)) {
    if (auto saved = save(*record); !saved) return std::unexpected(saved.error());
  }
  return present(*record);
}

Result<void> Catalog::finalize(const api::Key& key, const std::string& uid) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->second.uid != uid) return {};
  if (!entry->second.deleting) return {};  // nothing waits for it
  if (auto erased = state_->erase(key); !erased) return erased;
  erase_entry(key);
  missing_files_.erase(key);
  emit_gone(key, uid);
  if (const auto losers = losers_.find(key); losers != losers_.end()) {
    const auto paths = losers->second;  // its file came back meanwhile: a new object
    for (const auto& path : paths) check(path, Why::Again);
    note_problems();
  }
  return {};
}

// ---- writing into the folder
// ---------------------------------------------------------------------

Error Catalog::read_only(const Error& error) const {
  if (error.kind != ErrorKind::Forbidden) return error;
  return {ErrorKind::Forbidden,
          "folder " + options_.root +
              " is read-only for the director; change its YAML files where they come from",
          std::nullopt};
}

Result<void> Catalog::write_source(const api::LoadTest& test, const std::string& path,
                                   bool exclusive, std::string_view text) {
  const auto documents = api::decode_yaml(text);
  for (const auto& document : documents) {
    if (document.foreign || api::key_of(document.test).name != test.metadata.name) continue;
    if (!document.problems.empty()) {
      return fail(ErrorKind::Invalid, api::to_string(document.problems));
    }
  }
  const std::string folder = folder_of(path);
  if (!folder.empty() && ::mkdirat(root_.get(), folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return std::unexpected(read_only(from_errno(errno, "make folder " + folder)));
  }
  const auto opened = open_beneath(root_.get(), folder.empty() ? "." : folder, O_DIRECTORY);
  if (!opened) return std::unexpected(read_only(opened.error()));
  auto written = write_durably(opened->get(), path.substr(path.rfind('/') + 1), text, exclusive);
  if (!written) return std::unexpected(read_only(written.error()));
  if (!folder.empty()) watcher_.watch(options_.root, {folder});
  check(path, Why::Written);
  note_problems();
  return {};
}

Result<ports::StoredTest> Catalog::create(const api::LoadTest& test) {
  const api::Key key = api::key_of(test);
  if (!is_object_name(key.name) || !is_dns_label(key.ns)) {
    return fail(ErrorKind::Invalid, "metadata: " + quoted(shown(api::to_string(key))) +
                                        " is no valid namespace and name");
  }
  if (!options_.only.empty()) {
    return fail(ErrorKind::Forbidden,
                "this director runs the one file " + options_.only + " and takes no other tests");
  }
  if (entries_.contains(key)) {
    return fail(ErrorKind::Conflict, "LoadTest " + api::to_string(key) + " exists already");
  }
  const std::string path = (key.ns == "default" ? "" : key.ns + "/") + key.name + ".yaml";
  if (auto written = write_source(test, path, true, api::encode_yaml(test)); !written) {
    return std::unexpected(written.error());
  }
  return get(key);
}

Result<ports::StoredTest> Catalog::replace(const api::LoadTest& test) {
  const api::Key key = api::key_of(test);
  const auto record = find_record(key, test.metadata.uid);
  if (!record) return std::unexpected(record.error());
  const auto& version = test.metadata.resource_version;
  if (record->deleted || (!version.empty() && version != std::to_string(record->version))) {
    return fail(ErrorKind::Conflict, "LoadTest " + api::to_string(key) +
                                         (record->deleted ? " is being deleted"
                                                          : " has changed: found version " +
                                                                std::to_string(record->version) +
                                                                ", expected " + version));
  }
  auto reading = read_source(root_.get(), record->from.source, options_.max_file_bytes, false);
  if (reading.state != Reading::State::Ok) {
    return fail(ErrorKind::Unavailable, record->from.source + " cannot be read now");
  }
  // The file is desired state: what the store itself adds has no place in it.
  api::LoadTest document = test;
  document.status = {};
  document.metadata = {};
  document.metadata.name = key.name;
  document.metadata.ns = key.ns;
  document.metadata.labels = test.metadata.labels;
  document.metadata.annotations = record->annotations;
  const auto text = splice(reading.source.text, record->from.line, api::encode_yaml(document));
  if (auto written = write_source(test, record->from.source, false, *text); !written) {
    return std::unexpected(written.error());
  }
  return get(key);
}

Result<void> Catalog::remove(const api::Key& key, const std::string& uid) {
  const auto record = find_record(key, uid);
  if (!record) return std::unexpected(record.error());
  if (record->deleted) return {};
  if (!options_.only.empty()) {
    return fail(ErrorKind::Forbidden,
                "the file " + options_.only + " is yours; delete it yourself");
  }
  const std::string& path = record->from.source;
  auto reading = read_source(root_.get(), path, options_.max_file_bytes, false);
  if (reading.state == Reading::State::Ok) {
    const auto rest = splice(reading.source.text, record->from.line, {});
    const auto folder =
        open_beneath(root_.get(), folder_of(path).empty() ? "." : folder_of(path), O_DIRECTORY);
    if (!folder) return std::unexpected(read_only(folder.error()));
    const std::string name = path.substr(path.rfind('/') + 1);
    if (rest) {
      auto written = write_durably(folder->get(), name, *rest, false);
      if (!written) return std::unexpected(read_only(written.error()));
    } else if (::unlinkat(folder->get(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return std::unexpected(read_only(from_errno(errno, "delete " + path)));
    }
    mark_deleting(key);
    check(path, Why::Written);
    note_problems();
  } else if (reading.state != Reading::State::Absent) {
    return fail(ErrorKind::Unavailable, path + " cannot be read now");
  } else {
    mark_deleting(key);
  }
  absent_.erase(key);
  return {};
}

}  // namespace atq::stores::directory
