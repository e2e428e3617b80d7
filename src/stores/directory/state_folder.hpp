#pragma once
// The records under DATA/store/<namespace>/<name>.json: read, written through a temporary file and
// rename, synced. Blocking; used from one thread at a time.

#include <functional>
#include <string>
#include <vector>

#include "src/stores/directory/files.hpp"
#include "src/stores/directory/record.hpp"

namespace atq::stores::directory {

class StateFolder {
 public:
  /// Makes `path` where it does not exist and clears what a crash left half-written.
  static Result<StateFolder> open(const std::string& path);

  /// NotFound; Invalid where the record is damaged.
  Result<Record> read(const api::Key& key) const;

  /// Durable when it returns.
  Result<void> write(const Record& record);
  /// All or an error; cheaper than one by one: many share a single syncfs().
  ///
  /// Each is whole under its temporary name before the first gets its own name, so a crash leaves
  /// of any of them the record before, none, or the new one, never a part. An object is shown to
  /// the engine only after this has returned, names synced: no run can have begun under a uid that
  /// a crash takes back, and no object that has begun one is given a second uid.
  Result<void> write_all(const std::vector<const Record*>& records);

  /// NotFound is success. Durable when it returns.
  Result<void> erase(const api::Key& key);

  /// Sets a damaged record aside as <name>.json.damaged.
  void set_aside(const api::Key& key);

  /// Every record, in the order of keys; `damaged` gets those that cannot be read.
  Result<void> for_each(const std::function<void(Record)>& each,
                        const std::function<void(const api::Key&, const Error&)>& damaged) const;

 private:
  explicit StateFolder(Fd root) : root_(std::move(root)) {}
  Result<Fd> open_namespace(const std::string& ns, bool create) const;

  Fd root_;
};

}  // namespace atq::stores::directory
