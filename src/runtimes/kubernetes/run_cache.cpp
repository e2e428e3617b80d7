#include "src/runtimes/kubernetes/run_cache.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/kube/resource_version.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxGone = 512;

std::pair<std::string, std::string> name_of(const Json& object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return {};
  const auto text = [&](const char* field) {
    const auto found = metadata->find(field);
    return found != metadata->end() && found->is_string() ? found->get<std::string>() : "";
  };
  return {text("namespace"), text("name")};
}

}  // namespace

bool RunObjects::is_busy() const {
  if (!service || service->deleting || pods.empty()) return true;
  return std::ranges::any_of(pods, [](const auto& entry) { return entry.second.alive(); });
}

bool RunCache::is_busy() const {
  return std::ranges::any_of(runs_, [](const auto& entry) { return entry.second.is_busy(); });
}

void RunCache::store(ServiceView view) {
  RunObjects& run = runs_[{view.ns, view.run_id}];
  run.service = std::move(view);
}

void RunCache::store(JobView view) {
  RunObjects& run = runs_[{view.ns, view.run_id}];
  const Part part = view.part;
  run.jobs.insert_or_assign(part, std::move(view));
}

void RunCache::store(PodView view) {
  RunObjects& run = runs_[{view.ns, view.run_id}];
  const ReplicaId replica{view.part, view.index};
  if (view.main.ready) run.was_ready.insert(replica);
  if (auto end = read_end(view)) run.ends.try_emplace(replica, std::move(*end));
  std::string name = view.name;
  run.pods.insert_or_assign(std::move(name), std::move(view));
}

template <class View>
RunCache::Changed RunCache::place(Kind kind, std::optional<View> view, bool own) {
  if (!view) return std::nullopt;
  const Name name{view->ns, view->name};
  if (const auto gone = gone_[kind].find(name); gone != gone_[kind].end()) {
    if (gone->second == view->uid) return std::nullopt;
    gone_[kind].erase(gone);
  }
  Place& place = places_[kind][name];
  const auto order = kube::compare_versions(view->version, place.version);
  if (order && *order < 0) return std::nullopt;
  const bool same = view->version == place.version;
  if (!own) place.unconfirmed = false;
  if (same) return std::nullopt;
  place = {.run = {view->ns, view->run_id},
           .part = view->part,
           .version = view->version,
           .unconfirmed = own};
  RunKey key = place.run;
  const std::string uid = view->loadtest_uid;
  const int64_t number = view->run;
  by_uid_[uid].insert(key);
  store(std::move(*view));
  RunObjects& run = runs_[key];
  run.uid_label = uid;
  run.number = number;
  return key;
}

RunCache::Changed RunCache::put(Kind kind, const Json& object, bool own) {
  switch (kind) {
    case Kind::Service:
      return place(kind, read_service(object), own);
    case Kind::Job:
      return place(kind, read_job(object), own);
    case Kind::Pod:
      return place(kind, read_pod(object), own);
  }
  return std::nullopt;
}

RunCache::Changed RunCache::upsert(Kind kind, const Json& object) {
  return put(kind, object, false);
}

RunCache::Changed RunCache::note(Kind kind, const Json& object) { return put(kind, object, true); }

RunCache::Changed RunCache::remove(Kind kind, const Json& object) {
  // Its last state may be news: how it ended.
  auto changed = put(kind, object, false);
  const Name name = name_of(object);
  auto& gone = gone_[kind];
  if (gone.size() >= kMaxGone) gone.clear();
  const auto uid = object.find("metadata");
  if (uid != object.end() && uid->is_object()) gone[name] = uid->value("uid", "");
  auto erased = erase(kind, name);
  return erased ? erased : changed;
}

RunCache::Changed RunCache::forget(Kind kind, const std::string& ns, const std::string& name) {
  return erase(kind, {ns, name});
}

RunCache::Changed RunCache::erase(Kind kind, const Name& name) {
  const auto found = places_[kind].find(name);
  if (found == places_[kind].end()) return std::nullopt;
  const Place place = found->second;
  places_[kind].erase(found);
  const auto run = runs_.find(place.run);
  if (run == runs_.end()) return place.run;
  switch (kind) {
    case Kind::Service:
      run->second.service.reset();
      break;
    case Kind::Job:
      run->second.jobs.erase(place.part);
      break;
    case Kind::Pod:
      run->second.pods.erase(name.second);
      break;
  }
  return place.run;
}

RunCache::Changed RunCache::replace_add(Replacement& replacement, const Json& object) {
  replacement.seen.insert(name_of(object));
  return upsert(replacement.kind, object);
}

std::vector<RunKey> RunCache::replace_end(const Replacement& replacement,
                                          std::vector<DoubtfulObject>& doubtful) {
  std::vector<Name> lost;
  for (const auto& [name, place] : places_[replacement.kind]) {
    if (!replacement.ns.empty() && name.first != replacement.ns) continue;
    if (replacement.seen.contains(name)) continue;
    if (place.unconfirmed) {
      doubtful.push_back({replacement.kind, name.first, name.second});
    } else {
      lost.push_back(name);
    }
  }
  std::vector<RunKey> runs;
  for (const Name& name : lost) {
    if (auto run = erase(replacement.kind, name)) runs.push_back(std::move(*run));
  }
  return runs;
}

const RunObjects* RunCache::find(const RunKey& key) const {
  const auto found = runs_.find(key);
  return found == runs_.end() ? nullptr : &found->second;
}

RunObjects* RunCache::find(const RunKey& key) {
  const auto found = runs_.find(key);
  return found == runs_.end() ? nullptr : &found->second;
}

std::vector<RunKey> RunCache::runs_of(const std::string& uid_label) const {
  const auto found = by_uid_.find(uid_label);
  if (found == by_uid_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

void RunCache::drop_if_empty(const RunKey& key) {
  const auto found = runs_.find(key);
  if (found == runs_.end() || !found->second.empty()) return;
  const auto uid = by_uid_.find(found->second.uid_label);
  runs_.erase(found);
  if (uid == by_uid_.end()) return;
  uid->second.erase(key);
  if (uid->second.empty()) by_uid_.erase(uid);
}

}  // namespace atq::kubernetes
