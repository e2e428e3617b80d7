#pragma once
// What the store knows: which LoadTest comes from which file, and the records under --data. All of
// it blocking, all of it on the store's one state thread (source_of() aside). Parsed objects are
// never kept: an object is read from its record when it is asked for, so that 10,000 of them cost
// a few MiB.

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "src/stores/directory/ingest.hpp"
#include "src/stores/directory/options.hpp"
#include "src/stores/directory/scan.hpp"
#include "src/stores/directory/state_folder.hpp"
#include "src/stores/directory/watcher.hpp"

namespace atq::stores::directory {

struct Gone {
  api::Key key;
  std::string uid;
};

/// What a job on the catalog has changed, in order.
struct Changes {
  bool list_begins = false;
  std::vector<ports::StoredTest> listed;  ///< a piece of the whole truth
  bool list_ends = false;
  std::vector<std::variant<ports::StoredTest, Gone>> each;  ///< none before the list has ended
  std::optional<std::vector<ports::SourceProblem>> problems;
};

using SteadyTime = std::chrono::steady_clock::time_point;

class Catalog {
 public:
  explicit Catalog(const Options& options);

  /// Before each job: the time that is written into objects.
  void set_now(TimePoint now) { now_ = now; }

  /// Reads the records and the folder, once; further calls do nothing. NotFound where the folder
  /// does not exist.
  Result<void> load();
  /// Begins to tell the whole truth, in the order of keys.
  void begin_listing();
  /// The next piece of it into the changes. True: there is more. Other calls may come in between.
  bool list_some();

  /// Works off the kernel's hints and what has become due. True: a scan is wanted.
  bool advance();
  /// Takes in a scan.
  void absorb(const Scan& scan);
  /// A look at the folder; any thread.
  static Scan look(const Options& options);
  /// When advance() is wanted next, hints aside.
  SteadyTime next_due() const;
  int hint_fd() const { return watcher_.fd(); }

  Changes take_changes();

  // ---- the port's calls (catalog_calls.cpp) ---------------------------------------------------
  Result<ports::StoredTest> get(const api::Key& key);
  Result<ports::StoredTest> create(const api::LoadTest& test);
  Result<ports::StoredTest> replace(const api::LoadTest& test);
  Result<void> remove(const api::Key& key, const std::string& uid);
  Result<std::string> update_status(const api::Key& key, const std::string& uid,
                                    const std::string& resource_version,
                                    const api::LoadTestStatus& status);
  Result<ports::StoredTest> annotate(const api::Key& key, const ports::AnnotationPatch& patch);
  Result<void> finalize(const api::Key& key, const std::string& uid);

  /// The file an object comes from, relative to the root. NotFound. Any thread.
  Result<std::string> source_of(const api::Key& key) const;

 private:
  struct Entry {
    std::string uid;
    std::string source;
    bool deleting = false;
  };
  struct Source {
    Stamp stamp;
    uint64_t hash = 0;
    bool read = false;           ///< hash is that of what was taken in
    bool settled = false;        ///< a later change cannot have the same stamp
    std::vector<api::Key> keys;  ///< the objects that come from it
    std::vector<api::Key> lost;  ///< it names them, but they are another file's or being deleted
    std::vector<std::string> messages;
  };
  struct Retry {
    SteadyTime at;
    std::chrono::milliseconds pause{0};
  };
  enum class Why { Start, Written, Noticed, Again };
  struct Pending {
    Record record;
    bool fresh = false;    ///< a new object
    bool visible = false;  ///< something a reader sees has changed
  };
  /// What the records say about a file, for a start that need not parse it again.
  struct Recorded {
    uint64_t hash = 0;
    int documents = 0;
    int seen = 0;
    bool usable = true;
  };

  // catalog.cpp
  Result<void> load_records();
  void adopt(const Record& record);
  void check(const std::string& path, Why why);
  void retry_later(const std::string& path);
  void gone(const std::string& path);
  void sweep_absent();
  void resolve_absent(const api::Key& key);
  bool root_is_there() const;
  bool claims(const std::string& path, const api::Key& key) const;
  void side_file_changed();
  void note_problems();
  bool is_ours(const std::string& path) const;

  // catalog_apply.cpp
  void apply(const std::string& path, const SourceText& text, Why why);
  bool unchanged_since_record(const std::string& path, Source& source, uint64_t hash);
  void forget_claims(const std::string& path, Source& source);
  void take_candidates(const std::string& path, Source& source, Ingested ingested);
  bool admit(const std::string& path, Source& source, Candidate& candidate,
             std::vector<Pending>& pending);
  Result<Record> record_for(const api::Key& key, bool& fresh);
  Pending prepare(Record record, bool fresh, const std::string& path, Candidate& candidate);
  void flush();
  void roll_back(const Error& error);
  void mark_deleting(const api::Key& key);

  // catalog_calls.cpp
  Result<Record> find_record(const api::Key& key, const std::string& uid);
  Result<ports::StoredTest> present(const Record& record);
  Result<void> save(Record& record);
  Result<void> write_source(const api::LoadTest& test, const std::string& path, bool exclusive,
                            std::string_view text);
  Error read_only(const Error& error) const;

  uint64_t next_version() { return ++version_; }
  void put_entry(const api::Key& key, Entry entry);
  void erase_entry(const api::Key& key);
  void set_source(Entry& entry, const std::string& source);
  void emit(const Record& record);
  void emit_gone(const api::Key& key, const std::string& uid);
  bool is_told(const api::Key& key) const;

  const Options& options_;
  TimePoint now_{};
  bool loaded_ = false;
  bool starting_ = false;  ///< inside load()
  std::optional<StateFolder> state_;
  Fd root_;
  Watcher watcher_;
  uint64_t version_ = 0;

  mutable std::mutex entries_mutex_;  ///< held by the state thread to change, by others to read
  std::map<api::Key, Entry> entries_;
  std::map<std::string, Source> sources_;
  std::map<std::string, Recorded> recorded_;          ///< during load() only
  std::map<api::Key, std::set<std::string>> losers_;  ///< files that name what is not theirs
  std::map<api::Key, SteadyTime> absent_;             ///< to be deleted then, unless back
  std::map<std::string, Retry> retries_;
  std::set<api::Key> missing_files_;
  bool batching_ = false;
  std::vector<Pending> pending_;

  SteadyTime next_scan_{};
  std::vector<ports::SourceProblem> scan_problems_;
  std::vector<ports::SourceProblem> state_problems_;
  std::vector<ports::SourceProblem> told_problems_;
  size_t refused_sources_ = 0;
  bool announcing_ = false;
  bool listing_ = false;
  api::Key listed_to_;  ///< while listing_
  Changes changes_;
};

}  // namespace atq::stores::directory
