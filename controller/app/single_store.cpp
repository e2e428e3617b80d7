#include "controller/app/single_store.hpp"

#include <boost/asio/post.hpp>

#include "src/stores/directory/files.hpp"

namespace atq::app {

SingleStore::SingleStore(boost::asio::io_context& loop, const ports::Clock& clock,
                         api::LoadTest test, std::filesystem::path folder)
    : loop_(loop), folder_(std::move(folder)), ended_(loop) {
  stored_.test = std::move(test);
  auto& metadata = stored_.test.metadata;
  if (metadata.uid.empty()) metadata.uid = stores::directory::random_uid().value_or("local");
  metadata.generation = 1;
  metadata.resource_version = "1";
  metadata.creation_timestamp = clock.now();
  stored_.test.status = {};
}

AsyncResult<void> SingleStore::watch(ports::StoreSink& sink) {
  sink_ = &sink;
  sink.replace({stored_});
  while (!stopping_) co_await ended_.wait();
  sink_ = nullptr;
  co_return fail(ErrorKind::Canceled, "the store was stopped");
}

void SingleStore::stop() {
  stopping_ = true;
  ended_.notify_all();
}

Result<void> SingleStore::find(const api::Key& key, const std::string& uid) const {
  if (key != api::key_of(stored_.test))
    return fail(ErrorKind::NotFound, "no LoadTest " + to_string(key));
  if (!uid.empty() && uid != stored_.test.metadata.uid) {
    return fail(ErrorKind::Conflict, to_string(key) + " is another object by now");
  }
  return {};
}

void SingleStore::changed() {
  stored_.test.metadata.resource_version = std::to_string(++version_);
  boost::asio::post(loop_, [this] {
    if (sink_ != nullptr && !stopping_) sink_->upsert(stored_);
  });
}

AsyncResult<ports::StoredTest> SingleStore::get(const api::Key& key) {
  if (auto found = find(key, ""); !found) co_return std::unexpected(found.error());
  co_return stored_;
}

AsyncResult<ports::StoredTest> SingleStore::create(const api::LoadTest&) {
  co_return fail(ErrorKind::Forbidden, "this run has one LoadTest only");
}

AsyncResult<ports::StoredTest> SingleStore::replace(const api::LoadTest&) {
  co_return fail(ErrorKind::Forbidden, "the LoadTest of this run cannot be changed");
}

AsyncResult<void> SingleStore::remove(const api::Key& key, const std::string& uid) {
  if (auto found = find(key, uid); !found) co_return std::unexpected(found.error());
  co_return fail(ErrorKind::Forbidden, "the LoadTest of this run cannot be removed; stop the run");
}

AsyncResult<std::string> SingleStore::update_status(const api::Key& key, const std::string& uid,
                                                    const std::string& resource_version,
                                                    const api::LoadTestStatus& status) {
  if (auto found = find(key, uid); !found) co_return std::unexpected(found.error());
  if (!resource_version.empty() && resource_version != stored_.test.metadata.resource_version) {
    co_return fail(ErrorKind::Conflict, to_string(key) + " has changed since it was read");
  }
  stored_.test.status = status;
  changed();
  co_return stored_.test.metadata.resource_version;
}

AsyncResult<ports::StoredTest> SingleStore::annotate(const api::Key& key,
                                                     const ports::AnnotationPatch& patch) {
  if (auto found = find(key, ""); !found) co_return std::unexpected(found.error());
  auto& annotations = stored_.test.metadata.annotations;
  for (const auto& [name, value] : patch) {
    if (value) {
      annotations[name] = *value;
    } else {
      annotations.erase(name);
    }
  }
  changed();
  co_return stored_;
}

AsyncResult<void> SingleStore::finalize(const api::Key&, const std::string&) {
  co_return Result<void>{};
}

Result<std::filesystem::path> SingleStore::local_file(const api::Key&, const std::string& path) {
  return stores::directory::find_beneath(folder_.string(), path);
}

std::string missing_files(const api::LoadTestSpec& spec, const std::filesystem::path& folder) {
  std::string problems;
  const auto look = [&](const std::string& where, const std::vector<api::FileSource>& files) {
    for (size_t i = 0; i < files.size(); ++i) {
      if (files[i].path.empty()) continue;
      const auto found = stores::directory::find_beneath(folder.string(), files[i].path);
      if (found) continue;
      problems += (problems.empty() ? "" : "\n") + where + "[" + std::to_string(i) +
                  "].path: " + found.error().message;
    }
  };
  look("spec.files", spec.files);
  look("spec.worker.files", spec.worker.role.files);
  if (spec.master) look("spec.master.files", spec.master->files);
  return problems;
}

}  // namespace atq::app
