#pragma once
// Where LoadTests live. One typed conformance suite (tests/conformance/store_suite.hpp) runs
// against every implementation. All calls from the engine's thread; every call is bounded in time
// by the implementation.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/api/codec.hpp"
#include "controller/api/types.hpp"
#include "controller/core/world.hpp"
#include "controller/ports/task.hpp"

namespace atq::ports {

/// An object as the store has it. `problems` non-empty: what could be read of it, to be shown and
/// refused.
struct StoredTest {
  api::LoadTest test;  ///< uid, resource_version, generation set by the store
  std::vector<api::Problem> problems;
};

/// Something in the store that is no LoadTest at all (an unreadable or half-written file).
struct SourceProblem {
  std::string source;   ///< "checkout/test.yaml"
  std::string message;  ///< "line 3, column 5: …"
  bool operator==(const SourceProblem&) const = default;
};

/// What a watch tells. Calls come on the engine's thread, in order, never re-entrantly.
class StoreSink {
 public:
  virtual ~StoreSink() = default;
  /// The whole truth, once at the start and after each lost connection: what is absent from it is
  /// deleted.
  virtual void replace(std::vector<StoredTest> all) = 0;
  /// The same in pieces, so that ten thousand objects need not stand in memory decoded at once:
  /// begin, add each, end. A begin without its end is undone by the next begin or replace().
  virtual void replace_begin() { listed_.clear(); }
  virtual void replace_add(StoredTest test) { listed_.push_back(std::move(test)); }
  virtual void replace_end() { replace(std::exchange(listed_, {})); }
  virtual void upsert(StoredTest test) = 0;
  /// The object is gone from the store.
  virtual void remove(const api::Key& key, const std::string& uid) = 0;
  /// All problems of sources as of now (replaces the last list).
  virtual void problems(std::vector<SourceProblem> all) = 0;

 private:
  std::vector<StoredTest> listed_;
};

/// Changes to annotations: nullopt removes.
using AnnotationPatch = std::map<std::string, std::optional<std::string>>;

class Store {
 public:
  virtual ~Store() = default;

  virtual std::string name() const = 0;  ///< "directory"
  virtual core::Capabilities capabilities() const = 0;

  /// Feeds `sink` until stop(); first replace(), then changes. Returns an error only where going on
  /// is pointless (the folder does not exist); else it retries by itself with back-off.
  virtual AsyncResult<void> watch(StoreSink& sink) = 0;
  /// Makes watch() and every call under way return soon (Canceled).
  virtual void stop() = 0;

  /// A live read. NotFound.
  virtual AsyncResult<StoredTest> get(const api::Key& key) = 0;
  /// Conflict if it exists, Forbidden if the store is read-only, Invalid.
  virtual AsyncResult<StoredTest> create(const api::LoadTest& test) = 0;
  /// Spec and labels; Conflict if metadata.resource_version is set and not the stored one.
  virtual AsyncResult<StoredTest> replace(const api::LoadTest& test) = 0;
  /// NotFound; Conflict where `uid` is not its uid. With finalizers: marks it for deletion.
  virtual AsyncResult<void> remove(const api::Key& key, const std::string& uid) = 0;

  /// Writes the whole status if the object still has `uid`; optimistic on `resource_version`
  /// (Conflict). Durable when it returns. Gives the new resource_version.
  virtual AsyncResult<std::string> update_status(const api::Key& key, const std::string& uid,
                                                 const std::string& resource_version,
                                                 const api::LoadTestStatus& status) = 0;
  /// Merges annotations (requests such as stop and rerun). Gives the object as it is then.
  virtual AsyncResult<StoredTest> annotate(const api::Key& key, const AnnotationPatch& patch) = 0;
  /// Removes our finalizer, after which the object goes. NotFound is success.
  virtual AsyncResult<void> finalize(const api::Key& key, const std::string& uid) = 0;

  /// A file the object names by `path` (FileSource::path), as a local path that can be copied.
  /// NotFound, Forbidden (outside the folder, also by symbolic link), Invalid (no regular file),
  /// Unavailable (store has no files).
  virtual Result<std::filesystem::path> local_file(const api::Key& key,
                                                   const std::string& path) = 0;
};

}  // namespace atq::ports
