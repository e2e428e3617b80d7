#pragma once
// What an API server has and how it answers one request, watches aside: collections of objects by
// (group, plural, namespace, name) under one resourceVersion counter, and every change since the
// start. No event loop in it. It plays the garbage collector too: an object whose owners are all
// gone goes at once.
//
// Like the real one: 404, 409 and 422 with Status bodies, names and label values checked, status a
// subresource of all kinds (a create and a PUT leave it out), generation counted, writes that
// change nothing give no new version, lists of built-in kinds have items without kind and
// apiVersion. Unlike it: kinds have no schema, defaults or immutable fields, apply merges and never
// removes fields, pods go without grace.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "src/base/time.hpp"
#include "src/kube/client.hpp"

namespace atq::fakes::kube {

using Json = nlohmann::json;

struct ObjectKey {
  std::string collection;  ///< "batch/jobs", "/pods"
  std::string ns;          ///< "" for kinds of the whole cluster
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
};

struct Change {
  enum class Type { Added, Modified, Deleted };
  uint64_t version = 0;
  Type type = Type::Added;
  ObjectKey key;
  std::shared_ptr<const Json> before;  ///< null when added
  std::shared_ptr<const Json> after;   ///< when deleted: the last state, with this version
};

/// A request in its parts.
struct ApiRequest {
  std::string method, collection, api_version, ns, name, subresource, content_type, body;
  std::map<std::string, std::string> query;

  std::string parameter(const std::string& key) const;
  bool is_watch() const { return parameter("watch") == "true" || parameter("watch") == "1"; }
};
std::optional<ApiRequest> parse_call(const atq::kube::Call& call);

struct ApiAnswer {
  int status = 200;
  std::string body;
  bool ok() const { return status < 300; }
};

/// A Status object as text.
std::string status_text(int code, std::string_view reason, std::string_view message,
                        int retry_after_seconds = 0, std::string_view cause = {});

class ApiState {
 public:
  using Objects = std::map<ObjectKey, std::shared_ptr<const Json>>;

  explicit ApiState(std::function<TimePoint()> now);

  /// Any request but a watch.
  ApiAnswer handle(const ApiRequest& request);

  uint64_t version() const noexcept { return version_; }
  const std::deque<Change>& changes() const noexcept { return changes_; }
  const Objects& objects() const noexcept { return objects_; }
  /// As it was; of a version that has been.
  Objects objects_at(uint64_t version) const;
  std::shared_ptr<const Json> find(const ObjectKey& key) const;

  /// Versions before it are gone for watches, lists and `continue`.
  void compact(uint64_t before) { compacted_ = before; }
  uint64_t compacted() const noexcept { return compacted_; }
  /// What the watch cache has seen: `resourceVersion=0` and watches give no more than this, newer
  /// versions are "too large".
  void set_cache_lag(uint64_t versions) { cache_lag_ = versions; }
  uint64_t cache_version() const noexcept;

  /// What pods/NAME/log gives.
  void set_log(std::string ns, std::string pod, std::string text);
  /// Called after each change, in order; it may change more.
  void on_change(std::function<void(const Change&)> callback) { on_change_ = std::move(callback); }

 private:
  ApiAnswer get(const ApiRequest& request) const;
  ApiAnswer list(const ApiRequest& request) const;
  ApiAnswer create(const ApiRequest& request);
  ApiAnswer put(const ApiRequest& request);
  ApiAnswer patch(const ApiRequest& request);
  ApiAnswer remove(const ApiRequest& request);
  ApiAnswer remove_collection(const ApiRequest& request);
  ApiAnswer insert(const ApiRequest& request, Json object);
  ApiAnswer replace(const ApiRequest& request, const Json& before, Json after);
  ApiAnswer erase_object(const ObjectKey& key, const ApiRequest& request);

  void publish(Change::Type type, const ObjectKey& key, Json object);
  void add_dependent(const std::string& owner, const ObjectKey& key);
  void erase(const ObjectKey& key);
  void collect_garbage();
  bool all_owners_gone(const Json& object) const;
  void orphan_dependents(const std::string& uid);

  std::function<TimePoint()> now_;
  std::function<void(const Change&)> on_change_;
  Objects objects_;
  std::map<std::string, ObjectKey> by_uid_;
  std::multimap<std::string, ObjectKey> dependents_;  // by the owner's uid; may be out of date
  std::vector<std::string> gone_uids_;                // their dependents are to be looked at
  std::deque<Change> changes_;
  std::map<std::pair<std::string, std::string>, std::string> logs_;
  uint64_t version_ = 1000;
  uint64_t compacted_ = 0;
  uint64_t cache_lag_ = 0;
  uint64_t uids_ = 0;
  size_t announced_ = 0;
  bool announcing_ = false;
};

}  // namespace atq::fakes::kube
