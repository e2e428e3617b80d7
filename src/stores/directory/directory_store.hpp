#pragma once
// LoadTests as YAML files in a folder (docs/stores/directory.md). The files are desired state and
// are only read; identity, status and requests live under --data.
//
// All blocking work is done on two threads of the store's own; every call starts and ends on the
// engine's thread.

#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "controller/ports/clock.hpp"
#include "controller/ports/store.hpp"
#include "src/stores/directory/options.hpp"

namespace atq::stores::directory {

class DirectoryStore final : public ports::Store {
 public:
  /// `engine` runs the engine's thread; it and `clock` outlive the store. Does no I/O: a folder
  /// that does not exist is reported by watch().
  DirectoryStore(boost::asio::any_io_executor engine, const ports::Clock& clock, Options options);
  ~DirectoryStore() override;
  DirectoryStore(const DirectoryStore&) = delete;
  DirectoryStore& operator=(const DirectoryStore&) = delete;

  std::string name() const override { return "directory"; }
  core::Capabilities capabilities() const override;
  AsyncResult<void> watch(ports::StoreSink& sink) override;
  void stop() override;
  AsyncResult<ports::StoredTest> get(const api::Key& key) override;
  AsyncResult<ports::StoredTest> create(const api::LoadTest& test) override;
  AsyncResult<ports::StoredTest> replace(const api::LoadTest& test) override;
  AsyncResult<void> remove(const api::Key& key, const std::string& uid) override;
  AsyncResult<std::string> update_status(const api::Key& key, const std::string& uid,
                                         const std::string& resource_version,
                                         const api::LoadTestStatus& status) override;
  AsyncResult<ports::StoredTest> annotate(const api::Key& key,
                                          const ports::AnnotationPatch& patch) override;
  AsyncResult<void> finalize(const api::Key& key, const std::string& uid) override;
  Result<std::filesystem::path> local_file(const api::Key& key, const std::string& path) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::stores::directory
