#include "tests/fakes/fake_store.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace atq::fakes {

using ports::StoredTest;

namespace {

constexpr const char* kFinalizer = "atq.dev/cleanup";

void apply(std::map<std::string, std::string>& annotations, const ports::AnnotationPatch& patch) {
  for (const auto& [name, value] : patch) {
    if (value) {
      annotations[name] = *value;
    } else {
      annotations.erase(name);
    }
  }
}

}  // namespace

FakeStore::FakeStore(boost::asio::io_context& io, const ports::Clock& clock,
                     FakeStoreOptions options)
    : io_(io), clock_(clock), options_(options), changed_(io) {}

core::Capabilities FakeStore::capabilities() const {
  return {.finalizers = options_.finalizers, .garbage_collection = false, .runtime_name = ""};
}

// ---- watch -----------------------------------------------------------------------------------

AsyncResult<void> FakeStore::watch(ports::StoreSink& sink) {
  stopped_ = false;
  watching_ = true;
  relist();
  tell({.removed = false, .problems = true, .all = false, .test = {}});
  while (!stopped_) {
    if (paused_ || deltas_.empty()) {
      co_await changed_.wait();
      continue;
    }
    deliver(sink);
    co_await boost::asio::post(io_, boost::asio::use_awaitable);
  }
  watching_ = false;
  deltas_.clear();
  co_return fail(ErrorKind::Canceled, "the store was stopped");
}

void FakeStore::deliver(ports::StoreSink& sink) {
  Delta delta = std::move(deltas_.front());
  deltas_.pop_front();
  if (delta.all) {
    sink.replace(all());
  } else if (delta.problems) {
    sink.problems(source_problems_);
  } else if (delta.removed) {
    sink.remove(api::key_of(delta.test.test), delta.test.test.metadata.uid);
  } else {
    sink.upsert(std::move(delta.test));
  }
}

void FakeStore::stop() {
  stopped_ = true;
  changed_.notify_all();
}

void FakeStore::tell(Delta delta) {
  if (watching_) {
    deltas_.push_back(std::move(delta));
    changed_.notify_all();
  }
}

void FakeStore::relist() {
  deltas_.clear();
  tell({.removed = false, .problems = false, .all = true, .test = {}});
}

void FakeStore::pause_watch(bool paused) {
  paused_ = paused;
  changed_.notify_all();
}

std::vector<StoredTest> FakeStore::all() const {
  std::vector<StoredTest> result;
  result.reserve(objects_.size());
  for (const auto& [key, stored] : objects_) {
    result.push_back(stored);
  }
  return result;
}

// ---- faults ----------------------------------------------------------------------------------

Result<void> FakeStore::enter(const std::string& call) {
  ++calls_[call];
  for (auto [it, end] = faults_.equal_range(call); it != end; ++it) {
    if (!it->second.after) {
      Error error = it->second.error;
      if (--it->second.times == 0) {
        faults_.erase(it);
      }
      return std::unexpected(std::move(error));
    }
  }
  return {};
}

Result<void> FakeStore::leave(const std::string& call) {
  for (auto [it, end] = faults_.equal_range(call); it != end; ++it) {
    if (it->second.after) {
      Error error = it->second.error;
      faults_.erase(it);
      return std::unexpected(std::move(error));
    }
  }
  return {};
}

void FakeStore::fail_next(const std::string& call, Error error, int times) {
  faults_.emplace(call, Fault{std::move(error), times, false});
}

void FakeStore::lose_answer(const std::string& call, Error error) {
  faults_.emplace(call, Fault{std::move(error), 1, true});
}

int FakeStore::calls(const std::string& call) const {
  const auto it = calls_.find(call);
  return it == calls_.end() ? 0 : it->second;
}

// ---- the port --------------------------------------------------------------------------------

Result<StoredTest*> FakeStore::object(const api::Key& key) {
  const auto it = objects_.find(key);
  if (it == objects_.end()) {
    return fail(ErrorKind::NotFound, "no LoadTest " + api::to_string(key));
  }
  return &it->second;
}

AsyncResult<StoredTest> FakeStore::get(const api::Key& key) {
  if (auto entered = enter("get"); !entered) {
    co_return std::unexpected(entered.error());
  }
  auto found = object(key);
  if (!found) {
    co_return std::unexpected(found.error());
  }
  co_return **found;
}

AsyncResult<StoredTest> FakeStore::create(const api::LoadTest& test) {
  if (auto entered = enter("create"); !entered) {
    co_return std::unexpected(entered.error());
  }
  if (options_.read_only) {
    co_return fail(ErrorKind::Forbidden, "the store is read-only");
  }
  const api::Key key = api::key_of(test);
  if (key.name.empty()) {
    co_return fail(ErrorKind::Invalid, "metadata.name: found nothing, expected a name");
  }
  if (objects_.contains(key)) {
    co_return fail(ErrorKind::Conflict, "LoadTest " + api::to_string(key) + " exists already");
  }
  put(test);
  if (auto left = leave("create"); !left) {
    co_return std::unexpected(left.error());
  }
  co_return objects_.at(key);
}

AsyncResult<StoredTest> FakeStore::replace(const api::LoadTest& test) {
  if (auto entered = enter("replace"); !entered) {
    co_return std::unexpected(entered.error());
  }
  if (options_.read_only) {
    co_return fail(ErrorKind::Forbidden, "the store is read-only");
  }
  auto found = object(api::key_of(test));
  if (!found) {
    co_return std::unexpected(found.error());
  }
  StoredTest& stored = **found;
  const std::string& expected = test.metadata.resource_version;
  if (!expected.empty() && expected != stored.test.metadata.resource_version) {
    co_return fail(ErrorKind::Conflict,
                   "LoadTest " + api::to_string(api::key_of(test)) + ": found version " +
                       stored.test.metadata.resource_version + ", expected " + expected);
  }
  if (stored.test.spec != test.spec) {
    stored.test.spec = test.spec;
    ++stored.test.metadata.generation;
  }
  stored.test.metadata.labels = test.metadata.labels;
  stored.problems.clear();
  touch(stored);
  if (auto left = leave("replace"); !left) {
    co_return std::unexpected(left.error());
  }
  co_return stored;
}

AsyncResult<void> FakeStore::remove(const api::Key& key, const std::string& uid) {
  if (auto entered = enter("remove"); !entered) {
    co_return std::unexpected(entered.error());
  }
  auto found = object(key);
  if (!found) {
    co_return std::unexpected(found.error());
  }
  if ((*found)->test.metadata.uid != uid) {
    co_return fail(ErrorKind::Conflict, "LoadTest " + api::to_string(key) + " is another by now");
  }
  erase(key);
  co_return leave("remove");
}

AsyncResult<std::string> FakeStore::update_status(const api::Key& key, const std::string& uid,
                                                  const std::string& resource_version,
                                                  const api::LoadTestStatus& status) {
  if (auto entered = enter("update_status"); !entered) {
    co_return std::unexpected(entered.error());
  }
  auto found = object(key);
  if (!found) {
    co_return std::unexpected(found.error());
  }
  StoredTest& stored = **found;
  if (stored.test.metadata.uid != uid) {
    co_return fail(ErrorKind::Conflict, "LoadTest " + api::to_string(key) + " is another by now");
  }
  if (stored.test.metadata.resource_version != resource_version) {
    co_return fail(ErrorKind::Conflict, "LoadTest " + api::to_string(key) + ": found version " +
                                            stored.test.metadata.resource_version + ", expected " +
                                            resource_version);
  }
  stored.test.status = status;
  touch(stored);
  if (auto left = leave("update_status"); !left) {
    co_return std::unexpected(left.error());
  }
  co_return stored.test.metadata.resource_version;
}

AsyncResult<StoredTest> FakeStore::annotate(const api::Key& key,
                                            const ports::AnnotationPatch& patch) {
  if (auto entered = enter("annotate"); !entered) {
    co_return std::unexpected(entered.error());
  }
  auto found = object(key);
  if (!found) {
    co_return std::unexpected(found.error());
  }
  annotate_now(key, patch);
  if (auto left = leave("annotate"); !left) {
    co_return std::unexpected(left.error());
  }
  co_return **found;
}

AsyncResult<void> FakeStore::finalize(const api::Key& key, const std::string& uid) {
  if (auto entered = enter("finalize"); !entered) {
    co_return std::unexpected(entered.error());
  }
  auto found = object(key);
  if (found && (*found)->test.metadata.uid == uid && (*found)->test.metadata.deletion_timestamp) {
    drop(key);
  }
  co_return leave("finalize");
}

Result<std::filesystem::path> FakeStore::local_file(const api::Key& /*key*/,
                                                    const std::string& path) {
  if (auto entered = enter("local_file"); !entered) {
    return std::unexpected(entered.error());
  }
  const auto it = local_files_.find(path);
  if (it == local_files_.end()) {
    return fail(ErrorKind::NotFound, "no file " + path);
  }
  return it->second;
}

// ---- the user's side -------------------------------------------------------------------------

void FakeStore::touch(StoredTest& stored) {
  stored.test.metadata.resource_version = std::to_string(++version_);
  tell({.removed = false, .problems = false, .all = false, .test = stored});
}

std::string FakeStore::put(const api::LoadTest& test, std::vector<api::Problem> problems) {
  const auto [it, fresh] = objects_.try_emplace(api::key_of(test));
  StoredTest& stored = it->second;
  api::ObjectMeta& metadata = stored.test.metadata;
  if (fresh) {
    metadata = test.metadata;
    metadata.uid = "uid-" + std::to_string(++uids_);
    metadata.generation = 1;
    metadata.creation_timestamp = clock_.now();
    if (options_.finalizers) {
      metadata.finalizers = {kFinalizer};
    }
  } else if (stored.test.spec != test.spec || stored.problems != problems) {
    ++metadata.generation;
  }
  metadata.labels = test.metadata.labels;
  stored.test.spec = test.spec;
  stored.problems = std::move(problems);
  touch(stored);
  return metadata.uid;
}

void FakeStore::erase(const api::Key& key) {
  auto found = object(key);
  if (!found) {
    return;
  }
  StoredTest& stored = **found;
  if (!options_.finalizers) {
    drop(key);
  } else if (!stored.test.metadata.deletion_timestamp) {
    stored.test.metadata.deletion_timestamp = clock_.now();
    ++stored.test.metadata.generation;
    touch(stored);
  }
}

void FakeStore::drop(const api::Key& key) {
  auto node = objects_.extract(key);
  tell({.removed = true, .problems = false, .all = false, .test = std::move(node.mapped())});
}

void FakeStore::annotate_now(const api::Key& key, const ports::AnnotationPatch& patch) {
  StoredTest& stored = objects_.at(key);
  apply(stored.test.metadata.annotations, patch);
  touch(stored);
}

void FakeStore::set_source_problems(std::vector<ports::SourceProblem> problems) {
  source_problems_ = std::move(problems);
  tell({.removed = false, .problems = true, .all = false, .test = {}});
}

void FakeStore::add_local_file(const std::string& path, std::filesystem::path local) {
  local_files_[path] = std::move(local);
}

const StoredTest* FakeStore::find(const api::Key& key) const {
  const auto it = objects_.find(key);
  return it == objects_.end() ? nullptr : &it->second;
}

}  // namespace atq::fakes
