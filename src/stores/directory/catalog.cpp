#include "src/stores/directory/catalog.hpp"

#include <algorithm>

#include "src/base/text.hpp"
#include "src/stores/directory/names.hpp"

namespace atq::stores::directory {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstRetry{1'000};
constexpr milliseconds kLastRetry{60'000};
constexpr milliseconds kPeriodWithoutHints{10'000};
constexpr milliseconds kPeriodWithoutRoot{1'000};
constexpr int kScanShare = 2'000;  ///< of the time at most 1/2000 goes into looking at the folder
constexpr size_t kMaxProblems = 100;
constexpr size_t kPiece = 128;  ///< objects of the list that are in memory decoded at once

}  // namespace

Catalog::Catalog(const Options& options) : options_(options) {}

Scan Catalog::look(const Options& options) {
  return scan_folder(options.root, options.only, options.data_dir, options.scan);
}

bool Catalog::is_ours(const std::string& path) const {
  return options_.only.empty() ? is_source_name(path.substr(path.rfind('/') + 1))
                               : path == options_.only;
}

// ---- start -------------------------------------------------------------------------------------

Result<void> Catalog::load() {
  if (loaded_) return {};
  const bool there = options_.only.empty()
                         ? std::filesystem::is_directory(options_.root)
                         : std::filesystem::exists(options_.root + "/" + options_.only);
  if (!there) {
    return fail(ErrorKind::NotFound, options_.source.string() +
                                         ": no such file or folder; expected a folder of YAML "
                                         "files or one YAML file");
  }
  auto state = StateFolder::open(options_.data_dir + "/store");
  if (!state) return std::unexpected(state.error());
  state_ = std::move(*state);
  if (auto read = load_records(); !read) return read;
  loaded_ = true;
  starting_ = true;
  absorb(look(options_));
  starting_ = false;
  // At the start nothing is being edited: what is gone is gone.
  const auto keys = [&] {
    std::vector<api::Key> all;
    for (const auto& [key, entry] : entries_) {
      if (!entry.deleting && !claims(entry.source, key)) all.push_back(key);
    }
    return all;
  }();
  for (const auto& key : keys) resolve_absent(key);
  recorded_.clear();
  return {};
}

Result<void> Catalog::load_records() {
  version_ = static_cast<uint64_t>(now_.time_since_epoch().count() / 1'000);
  return state_->for_each(
      [this](const Record& record) {
        version_ = std::max(version_, record.version);
        const bool here = record.from.root == options_.root && record.from.source == options_.only;
        if (options_.only.empty() || here) adopt(record);
      },
      [this](const api::Key& key, const Error& error) {
        state_->set_aside(key);
        state_problems_.push_back(
            {"store/" + api::to_string(key) + ".json",
             error.message + "; set aside, the test starts over as a new one"});
      });
}

void Catalog::adopt(const Record& record) {
  put_entry(record.key, {record.uid, record.from.source, record.deleted.has_value()});
  if (record.deleted) return;
  sources_[record.from.source].keys.push_back(record.key);
  auto& recorded = recorded_[record.from.source];
  if (recorded.seen == 0) {
    recorded.hash = record.from.hash;
    recorded.documents = record.from.documents;
  }
  ++recorded.seen;
  recorded.usable = recorded.usable && recorded.hash == record.from.hash &&
                    recorded.documents == record.from.documents &&
                    record.from.reader == ATQ_VERSION;
}

void Catalog::begin_listing() {
  changes_ = {};
  changes_.list_begins = true;
  announcing_ = true;
  listing_ = true;
  listed_to_ = {};
}

bool Catalog::list_some() {
  for (auto it = entries_.upper_bound(listed_to_); it != entries_.end(); ++it) {
    if (changes_.listed.size() == kPiece) return true;
    listed_to_ = it->first;
    auto record = state_->read(it->first);
    auto stored = record ? present(*record) : std::unexpected(record.error());
    if (stored) {
      changes_.listed.push_back(std::move(*stored));
    } else {
      state_problems_.push_back(
          {"store/" + api::to_string(it->first) + ".json", stored.error().message});
    }
  }
  listing_ = false;
  changes_.list_ends = true;
  told_problems_.clear();
  note_problems();
  if (!changes_.problems) changes_.problems.emplace();
  return false;
}

// ---- the folder --------------------------------------------------------------------------------

void Catalog::absorb(const Scan& scan) {
  scan_problems_ = scan.problems;
  const bool there = static_cast<bool>(scan.root);
  auto period = there ? options_.scan_period : kPeriodWithoutRoot;
  if (there) {
    if (auto opened = open_folder(options_.root)) root_ = std::move(*opened);
    const bool fresh = watcher_.watch(options_.root, scan.folders);
    if (!watcher_.problem().empty()) period = std::min(period, kPeriodWithoutHints);
    const Why why = starting_ ? Why::Start : Why::Noticed;
    batching_ = true;
    refused_sources_ = 0;
    const auto take = [&](const std::vector<FoundFile>& files) {
      for (const auto& file : files) {
        const auto it = sources_.find(file.path);
        if (it == sources_.end() && sources_.size() >= options_.scan.max_sources) {
          ++refused_sources_;
        } else if (it == sources_.end() || !it->second.read || !it->second.settled ||
                   it->second.stamp != file.stamp) {
          check(file.path, why);
        }
      }
    };
    take(scan.files);
    std::vector<std::string> absent;
    for (const auto& [path, source] : sources_) {
      if (!std::ranges::binary_search(scan.files, path, {}, &FoundFile::path) &&
          !exists(root_.get(), path)) {
        absent.push_back(path);
      }
    }
    for (const auto& path : absent) gone(path);
    batching_ = false;
    flush();
    side_file_changed();
    // What changed in a new folder between the look and the watch has left no hint.
    if (fresh) period = milliseconds(0);
  }
  next_scan_ =
      steady_clock::now() +
      std::max(period, period.count() == 0
                           ? period
                           : std::chrono::duration_cast<milliseconds>(scan.took * kScanShare));
  note_problems();
}

bool Catalog::advance() {
  bool scan = steady_clock::now() >= next_scan_;
  bool side = false;
  for (const auto& hint : watcher_.drain()) {
    if (hint.kind == Hint::Kind::Rescan) {
      scan = true;
    } else if (!is_ours(hint.path)) {
      side = true;
    } else if (hint.kind == Hint::Kind::Gone) {
      if (root_ && !exists(root_.get(), hint.path)) gone(hint.path);
    } else {
      check(hint.path, hint.kind == Hint::Kind::Written ? Why::Written : Why::Noticed);
    }
  }
  const auto now = steady_clock::now();
  std::vector<std::string> due;
  for (const auto& [path, retry] : retries_) {
    if (retry.at <= now) due.push_back(path);
  }
  for (const auto& path : due) check(path, Why::Noticed);
  sweep_absent();
  if (side) side_file_changed();
  note_problems();
  return scan;
}

SteadyTime Catalog::next_due() const {
  SteadyTime due = next_scan_;
  for (const auto& [path, retry] : retries_) due = std::min(due, retry.at);
  for (const auto& [key, at] : absent_) due = std::min(due, at);
  return due;
}

void Catalog::check(const std::string& path, Why why) {
  const auto known = sources_.find(path);
  if (known == sources_.end() && sources_.size() >= options_.scan.max_sources) {
    ++refused_sources_;
    return;
  }
  auto reading = read_source(root_.get(), path, options_.max_file_bytes, why == Why::Noticed);
  switch (reading.state) {
    case Reading::State::Absent:
      gone(path);
      return;
    case Reading::State::Busy:
    case Reading::State::Young:
      sources_[path].settled = false;
      retry_later(path);
      return;
    case Reading::State::Refused: {
      auto& source = sources_[path];
      source.stamp = reading.source.stamp;
      source.settled = true;
      source.read = true;
      source.hash = 0;
      source.messages = {std::move(reading.message)};
      retries_.erase(path);
      return;
    }
    case Reading::State::Ok:
      retries_.erase(path);
      apply(path, reading.source, why);
      return;
  }
}

void Catalog::retry_later(const std::string& path) {
  auto& retry = retries_[path];
  retry.pause = std::clamp(retry.pause * 2, kFirstRetry, kLastRetry);
  retry.at = steady_clock::now() + retry.pause;
}

void Catalog::gone(const std::string& path) {
  retries_.erase(path);
  const auto it = sources_.find(path);
  if (it == sources_.end()) return;
  forget_claims(path, it->second);
  const auto due = steady_clock::now() + options_.removal_grace;
  for (const auto& key : it->second.keys) {
    const auto entry = entries_.find(key);
    if (entry != entries_.end() && entry->second.source == path && !entry->second.deleting) {
      absent_.emplace(key, due);
    }
  }
  sources_.erase(it);
}

// ---- deletion ----------------------------------------------------------------------------------

bool Catalog::root_is_there() const {
  std::error_code error;
  return std::filesystem::is_directory(options_.root, error);
}

bool Catalog::claims(const std::string& path, const api::Key& key) const {
  const auto source = sources_.find(path);
  if (source == sources_.end() || !root_ || !exists(root_.get(), path)) return false;
  return std::ranges::find(source->second.keys, key) != source->second.keys.end();
}

void Catalog::sweep_absent() {
  if (absent_.empty()) return;
  const auto now = steady_clock::now();
  if (!root_is_there()) {  // an unmounted folder deletes nothing
    for (auto& [key, at] : absent_) at = now + options_.removal_grace;
    return;
  }
  std::vector<api::Key> due;
  for (const auto& [key, at] : absent_) {
    if (at <= now) due.push_back(key);
  }
  for (const auto& key : due) {
    absent_.erase(key);
    resolve_absent(key);
  }
}

void Catalog::resolve_absent(const api::Key& key) {
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->second.deleting) return;
  if (claims(entry->second.source, key)) return;
  const std::string before = entry->second.source;
  if (const auto losers = losers_.find(key); losers != losers_.end()) {
    const auto paths = losers->second;
    for (const auto& path : paths) {
      check(path, Why::Again);
      if (entry->second.source != before) return;  // another file has it: it goes on as that one's
    }
  }
  mark_deleting(key);
}

// ---- small things ------------------------------------------------------------------------------

void Catalog::side_file_changed() {
  const auto keys = missing_files_;
  for (const auto& key : keys) {
    const auto record = state_->read(key);
    if (!record) continue;
    auto stored = present(*record);
    if (stored && !missing_files_.contains(key) && is_told(key)) {
      changes_.each.emplace_back(std::move(*stored));
    }
  }
}

void Catalog::note_problems() {
  std::vector<ports::SourceProblem> all;
  size_t left_out = 0;
  const auto add = [&](ports::SourceProblem problem) {
    if (all.size() < kMaxProblems) {
      all.push_back(std::move(problem));
    } else {
      ++left_out;
    }
  };
  if (!watcher_.problem().empty()) add({".", watcher_.problem()});
  for (const auto& problem : scan_problems_) add(problem);
  for (const auto& problem : state_problems_) add(problem);
  if (refused_sources_ > 0) {
    add({".", "has " + std::to_string(refused_sources_) + " YAML files more than the " +
                  std::to_string(options_.scan.max_sources) + " that are read; they are ignored"});
  }
  for (const auto& [path, source] : sources_) {
    for (const auto& message : source.messages) add({shown(path), message});
  }
  if (left_out > 0) all.push_back({".", std::to_string(left_out) + " more problems"});
  if (all == told_problems_) return;
  told_problems_ = all;
  changes_.problems = std::move(all);
}

Changes Catalog::take_changes() {
  Changes taken = std::exchange(changes_, {});
  if (listing_) {  // what has changed meanwhile follows the list
    changes_.each = std::exchange(taken.each, {});
    changes_.problems = std::exchange(taken.problems, {});
  }
  return taken;
}

Result<std::string> Catalog::source_of(const api::Key& key) const {
  const std::lock_guard lock(entries_mutex_);
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) {
    return fail(ErrorKind::NotFound, "no LoadTest " + api::to_string(key));
  }
  return entry->second.source;
}

void Catalog::put_entry(const api::Key& key, Entry entry) {
  const std::lock_guard lock(entries_mutex_);
  entries_.insert_or_assign(key, std::move(entry));
}

void Catalog::erase_entry(const api::Key& key) {
  const std::lock_guard lock(entries_mutex_);
  entries_.erase(key);
}

void Catalog::set_source(Entry& entry, const std::string& source) {
  const std::lock_guard lock(entries_mutex_);
  entry.source = source;
}

/// What the list has not reached yet it will show as it is then.
bool Catalog::is_told(const api::Key& key) const {
  return announcing_ && (!listing_ || key <= listed_to_);
}

void Catalog::emit(const Record& record) {
  if (!is_told(record.key)) return;
  if (auto stored = present(record)) changes_.each.emplace_back(std::move(*stored));
}

void Catalog::emit_gone(const api::Key& key, const std::string& uid) {
  if (is_told(key)) changes_.each.emplace_back(Gone{key, uid});
}

}  // namespace atq::stores::directory
