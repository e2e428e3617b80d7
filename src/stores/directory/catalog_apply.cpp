// How the content of a file becomes objects.
#include <algorithm>

#include "src/base/hash.hpp"
#include "src/stores/directory/catalog.hpp"
#include "src/stores/directory/names.hpp"

namespace atq::stores::directory {
namespace {

constexpr int64_t kSettledNs = 2'000'000'000;
/// Records written together. The first sight of 10,000 files then waits for the disk five times,
/// and what waits to be written takes a few MiB.
constexpr size_t kBatch = 2'048;

bool contains(const std::vector<api::Key>& keys, const api::Key& key) {
  return std::ranges::find(keys, key) != keys.end();
}

}  // namespace

void Catalog::apply(const std::string& path, const SourceText& text, Why why) {
  auto& source = sources_[path];
  source.stamp = text.stamp;
  source.settled = wall_ns() - std::max(text.stamp.modified_ns, text.stamp.changed_ns) > kSettledNs;
  const uint64_t hash = fnv1a(text.text);
  const bool same = source.read && source.hash == hash && why != Why::Again;
  if (same || unchanged_since_record(path, source, hash)) return;
  source.read = true;
  source.hash = hash;
  auto ingested = ingest(text.text, folder_of(path));
  source.messages = std::move(ingested.messages);
  if (ingested.broken) return;  // what it held before stays
  take_candidates(path, source, std::move(ingested));
}

bool Catalog::unchanged_since_record(const std::string& path, Source& source, uint64_t hash) {
  if (source.read) return false;
  const auto recorded = recorded_.find(path);
  if (recorded == recorded_.end()) return false;
  const auto& r = recorded->second;
  if (!r.usable || r.hash != hash || r.documents == 0 || r.documents != r.seen) return false;
  source.read = true;
  source.hash = hash;
  return true;
}

void Catalog::forget_claims(const std::string& path, Source& source) {
  for (const auto& key : source.lost) {
    const auto it = losers_.find(key);
    if (it == losers_.end()) continue;
    it->second.erase(path);
    if (it->second.empty()) losers_.erase(it);
  }
  source.lost.clear();
}

void Catalog::take_candidates(const std::string& path, Source& source, Ingested ingested) {
  forget_claims(path, source);
  const auto before = std::exchange(source.keys, {});
  std::vector<Pending> pending;
  for (auto& candidate : ingested.candidates) {
    if (admit(path, source, candidate, pending)) {
      source.keys.push_back(api::key_of(candidate.test));
      absent_.erase(source.keys.back());
    }
  }
  const bool whole = source.messages.empty() && source.keys.size() == ingested.candidates.size();
  for (auto& item : pending) {
    item.record.from.documents = whole ? static_cast<int>(source.keys.size()) : 0;
    pending_.push_back(std::move(item));
  }
  const auto due = std::chrono::steady_clock::now() + options_.removal_grace;
  for (const auto& key : before) {
    const auto entry = entries_.find(key);
    const bool ours = entry != entries_.end() && entry->second.source == path;
    if (ours && !entry->second.deleting && !contains(source.keys, key)) absent_.emplace(key, due);
  }
  if (!batching_ || pending_.size() >= kBatch) flush();
}

bool Catalog::admit(const std::string& path, Source& source, Candidate& candidate,
                    std::vector<Pending>& pending) {
  const api::Key key = api::key_of(candidate.test);
  const std::string place = "line " + std::to_string(candidate.line) + ": ";
  const auto entry = entries_.find(key);
  if (contains(source.keys, key)) {
    source.messages.push_back(place + "LoadTest " + api::to_string(key) +
                              " stands in this file already; rename one of them");
    return false;
  }
  if (entry == entries_.end() && entries_.size() >= options_.max_tests) {
    source.messages.push_back(place + "LoadTest " + api::to_string(key) +
                              " is ignored: there are more than " +
                              std::to_string(options_.max_tests));
    return false;
  }
  const bool deleting = entry != entries_.end() && entry->second.deleting;
  const bool foreign =
      entry != entries_.end() && entry->second.source != path && claims(entry->second.source, key);
  if (deleting || foreign) {
    losers_[key].insert(path);
    source.lost.push_back(key);
    if (!deleting) {
      source.messages.push_back(place + "LoadTest " + api::to_string(key) + " stands in " +
                                shown(entry->second.source) +
                                " already and is taken from there; rename one of them");
    }
    return false;
  }
  bool fresh = false;
  auto record = record_for(key, fresh);
  if (!record) {
    source.messages.push_back(place + record.error().message);
    source.read = false;  // the next look tries again
    return false;
  }
  if (record->deleted) {  // of an earlier time with the same --data: its clean-up comes first
    put_entry(key, {record->uid, path, true});
    losers_[key].insert(path);
    source.lost.push_back(key);
    emit(*record);
    return false;
  }
  auto item = prepare(std::move(*record), fresh, path, candidate);
  put_entry(key, {item.record.uid, path, false});
  pending.push_back(std::move(item));
  return true;
}

Result<Record> Catalog::record_for(const api::Key& key, bool& fresh) {
  auto record = state_->read(key);
  if (record) return record;
  if (record.error().kind != ErrorKind::NotFound) {
    if (record.error().kind != ErrorKind::Invalid) return record;
    state_->set_aside(key);
    state_problems_.push_back(
        {"store/" + api::to_string(key) + ".json",
         record.error().message + "; set aside, the test starts over as a new one"});
  }
  if (const auto entry = entries_.find(key); entry != entries_.end()) {
    emit_gone(key, entry->second.uid);
  }
  auto uid = random_uid();
  if (!uid) return std::unexpected(uid.error());
  fresh = true;
  Record made;
  made.key = key;
  made.uid = std::move(*uid);
  made.created = now_;
  return made;
}

Catalog::Pending Catalog::prepare(Record record, bool fresh, const std::string& path,
                                  Candidate& candidate) {
  auto& meta = candidate.test.metadata;
  std::string spec = api::encode_spec(candidate.test.spec);
  const bool new_spec = spec != record.spec;
  const bool visible = fresh || new_spec || record.labels != meta.labels ||
                       record.annotations != meta.annotations ||
                       record.problems != candidate.problems;
  if (!fresh && new_spec) ++record.generation;
  if (visible) record.version = next_version();
  record.spec = std::move(spec);
  record.labels = std::move(meta.labels);
  record.annotations = std::move(meta.annotations);
  record.problems = std::move(candidate.problems);
  record.from = {options_.root, path, candidate.line, sources_[path].hash, 0, ATQ_VERSION};
  return {std::move(record), fresh, visible};
}

void Catalog::flush() {
  if (pending_.empty()) return;
  std::vector<const Record*> records;
  records.reserve(pending_.size());
  for (const auto& item : pending_) records.push_back(&item.record);
  const auto written = state_->write_all(records);
  const auto items = std::exchange(pending_, {});
  if (written) {
    for (const auto& item : items) {
      if (item.visible) emit(item.record);
    }
    return;
  }
  for (const auto& item : items) {
    const auto& path = item.record.from.source;
    auto& source = sources_[path];
    source.read = false;
    source.messages = {"state cannot be written, tried again later: " + written.error().message};
    retry_later(path);
    if (item.fresh) {
      erase_entry(item.record.key);
      std::erase(source.keys, item.record.key);
    }
  }
}

void Catalog::mark_deleting(const api::Key& key) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->second.deleting) return;
  auto record = state_->read(key);
  if (!record) {  // nothing can be kept of it
    emit_gone(key, entry->second.uid);
    erase_entry(key);
    return;
  }
  record->deleted = now_;
  record->version = next_version();
  if (const auto written = state_->write(*record); !written) {
    absent_.emplace(key, std::chrono::steady_clock::now() + std::chrono::seconds(1));
    return;
  }
  entry->second.deleting = true;
  emit(*record);
}

}  // namespace atq::stores::directory
