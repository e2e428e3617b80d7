#include "controller/engine/director_operations.hpp"

#include "controller/core/requests.hpp"
#include "src/base/hash.hpp"

namespace atq::engine {

namespace {

std::unexpected<Error> not_found(const api::Key& key) {
  return fail(ErrorKind::NotFound, "no LoadTest " + api::to_string(key));
}

}  // namespace

DirectorOperations::DirectorOperations(Controller& controller, const EventLog& events,
                                       std::function<Health()> health)
    : controller_(controller), events_(events), health_(std::move(health)) {}

Listing DirectorOperations::list(const std::string& ns) const {
  return controller_.state().cache.list(ns);
}

CachedTestPtr DirectorOperations::get(const api::Key& key) const {
  return controller_.state().cache.get(key);
}

std::vector<RecordedEvent> DirectorOperations::events(const std::string& uid) const {
  return events_.events(uid);
}

std::vector<ports::SourceProblem> DirectorOperations::problems() const {
  return controller_.source_problems();
}

Result<std::vector<Change>> DirectorOperations::changes_since(uint64_t resource_version) const {
  return controller_.state().cache.changes_since(resource_version);
}

std::unique_ptr<Subscription> DirectorOperations::subscribe(
    std::function<void(const Change&)> callback) {
  return controller_.state().cache.subscribe(std::move(callback));
}

std::string DirectorOperations::metrics() const { return controller_.state().metrics.render(); }

// ---- writes: the answer goes into the cache at once, the watch repeats it --------------------

AsyncResult<ports::StoredTest> DirectorOperations::create(const api::LoadTest& test) {
  auto task = controller_.state().store.create(test);
  auto stored = co_await std::move(task);
  if (stored) {
    controller_.upsert(*stored);
  }
  co_return stored;
}

AsyncResult<ports::StoredTest> DirectorOperations::replace(const api::LoadTest& test) {
  auto task = controller_.state().store.replace(test);
  auto stored = co_await std::move(task);
  if (stored) {
    controller_.upsert(*stored);
  }
  co_return stored;
}

AsyncResult<void> DirectorOperations::remove(const api::Key& key) {
  const CachedTestPtr test = get(key);
  if (!test) {
    co_return not_found(key);
  }
  auto task = controller_.state().store.remove(test->key(), test->uid());
  auto removed = co_await std::move(task);
  co_return removed;
}

AsyncResult<std::string> DirectorOperations::annotate(api::Key key, std::string name,
                                                      std::string value) {
  const ports::AnnotationPatch patch{{std::move(name), value}};
  auto task = controller_.state().store.annotate(key, patch);
  auto stored = co_await std::move(task);
  if (!stored) {
    co_return std::unexpected(stored.error());
  }
  controller_.upsert(std::move(*stored));
  co_return value;
}

AsyncResult<std::string> DirectorOperations::request_stop(const api::Key& key, bool now) {
  const CachedTestPtr cached = get(key);
  if (!cached) {
    co_return not_found(key);
  }
  const auto test = cached->decode();
  const auto wanted = core::stop_request(*test, now);
  const auto present = test->metadata.annotations.find(std::string(api::kStopAnnotation));
  if (!wanted || (present != test->metadata.annotations.end() && present->second == *wanted)) {
    co_return wanted;
  }
  auto task = annotate(cached->key(), std::string(api::kStopAnnotation), *wanted);
  auto value = co_await std::move(task);
  co_return value;
}

AsyncResult<std::string> DirectorOperations::request_rerun(const api::Key& key) {
  const CachedTestPtr cached = get(key);
  if (!cached) {
    co_return not_found(key);
  }
  // Unlike any other of this object: the time, and a count within it.
  const auto time = controller_.state().clock.now().time_since_epoch().count();
  const std::string token = to_hex(fnv1a(std::to_string(time) + "/" + std::to_string(++requests_)));
  auto task = annotate(cached->key(), std::string(api::kRerunAnnotation), token);
  auto value = co_await std::move(task);
  co_return value;
}

AsyncResult<void> DirectorOperations::stream_logs(const api::Key& key, int64_t run,
                                                  const ports::LogOptions& options,
                                                  ports::Runtime::LogWriter write) {
  const CachedTestPtr cached = get(key);
  if (!cached) {
    co_return not_found(key);
  }
  const int64_t number = run > 0 ? run : cached->decode()->status.run.number;
  const core::RunId id{cached->uid(), number};
  Runtimes& runtimes = controller_.state().runtimes;
  if (runtimes.run(id) == nullptr) {
    runtimes.refresh();
  }
  const Runtimes::Known* known = runtimes.run(id);
  if (known == nullptr) {
    co_return fail(ErrorKind::NotFound,
                   number == 0 ? api::to_string(key) + " has not run yet"
                               : "run " + std::to_string(number) + " of " + api::to_string(key) +
                                     " has left no logs: it was cleaned up or never began");
  }
  auto task = known->runtime->logs(id, options, std::move(write));
  auto result = co_await std::move(task);
  co_return result;
}

}  // namespace atq::engine
