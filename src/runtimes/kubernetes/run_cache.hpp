#pragma once
// What is known of the cluster: the objects of each run, as the watches and the answers to our own
// writes have it. Pure bookkeeping, one thread.
//
// Read-your-writes: an answer to a write goes in at once by note(), and no event that is older
// takes it back. What a list does not have although we wrote it and no event has confirmed it yet
// stays, and is named in `doubtful` for a live look: the list may be older than the write.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "src/runtimes/kubernetes/exits.hpp"
#include "src/runtimes/kubernetes/views.hpp"

namespace atq::kubernetes {

enum class Kind { Service, Job, Pod };

/// Which pod, for what outlives it.
struct ReplicaId {
  Part part = Part::Worker;
  int index = 0;
  auto operator<=>(const ReplicaId&) const = default;
};

struct RunObjects {
  std::string uid_label;
  int64_t number = 0;
  std::optional<ServiceView> service;
  std::map<Part, JobView> jobs;
  std::map<std::string, PodView> pods;  ///< by name
  /// Ends that were seen; they outlive their pods while we run.
  std::map<ReplicaId, End> ends;
  std::set<ReplicaId> was_ready;
  bool empty() const { return !service && jobs.empty() && pods.empty(); }
  /// The cluster still has to do something with it: pods to start or to end, objects to remove.
  bool is_busy() const;
};

/// (namespace, run id): two LoadTests of one uid label do not exist, but namespaces differ.
struct RunKey {
  std::string ns, run_id;
  auto operator<=>(const RunKey&) const = default;
};

struct DoubtfulObject {
  Kind kind = Kind::Job;
  std::string ns, name;
};

class RunCache {
 public:
  /// Where something has changed: the run it belongs to.
  using Changed = std::optional<RunKey>;

  /// An event of a watch, or an object of a list.
  Changed upsert(Kind kind, const nlohmann::json& object);
  /// The answer to a write of ours.
  Changed note(Kind kind, const nlohmann::json& object);
  Changed remove(Kind kind, const nlohmann::json& object);
  /// Known to be gone, by a live look.
  Changed forget(Kind kind, const std::string& ns, const std::string& name);

  /// A whole list of one kind in one namespace ("" = all).
  struct Replacement {
    Kind kind = Kind::Pod;
    std::string ns;
    std::set<std::pair<std::string, std::string>> seen;
  };
  Changed replace_add(Replacement& replacement, const nlohmann::json& object);
  /// Gives the runs that lost something.
  std::vector<RunKey> replace_end(const Replacement& replacement,
                                  std::vector<DoubtfulObject>& doubtful);

  const RunObjects* find(const RunKey& key) const;
  RunObjects* find(const RunKey& key);
  const std::map<RunKey, RunObjects>& runs() const noexcept { return runs_; }
  /// Any of them is.
  bool is_busy() const;
  /// Of a LoadTest's uid (as a label has it).
  std::vector<RunKey> runs_of(const std::string& uid_label) const;
  /// Forgets the run if nothing of it is left.
  void drop_if_empty(const RunKey& key);

 private:
  struct Place {
    RunKey run;
    Part part = Part::Network;
    std::string version;
    bool unconfirmed = false;
  };
  using Name = std::pair<std::string, std::string>;

  Changed put(Kind kind, const nlohmann::json& object, bool own);
  template <class View>
  Changed place(Kind kind, std::optional<View> view, bool own);
  void store(ServiceView view);
  void store(JobView view);
  void store(PodView view);
  Changed erase(Kind kind, const Name& name);

  std::map<RunKey, RunObjects> runs_;
  std::map<std::string, std::set<RunKey>> by_uid_;
  std::map<Kind, std::map<Name, Place>> places_;
  /// Uids of objects that are gone, so that a late answer does not bring them back.
  std::map<Kind, std::map<Name, std::string>> gone_;
};

}  // namespace atq::kubernetes
