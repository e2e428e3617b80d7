#pragma once
// The store behind `atq run FILE`: one LoadTest in memory, gone with the process. Its `path` files
// are those of the file's folder. The engine's thread.

#include <filesystem>

#include <boost/asio/io_context.hpp>

#include "controller/engine/async_event.hpp"
#include "controller/ports/clock.hpp"
#include "controller/ports/store.hpp"

namespace atq::app {

class SingleStore final : public ports::Store {
 public:
  /// `test` gets a random uid if it has none.
  SingleStore(boost::asio::io_context& loop, const ports::Clock& clock, api::LoadTest test,
              std::filesystem::path folder);

  std::string name() const override { return "memory"; }
  core::Capabilities capabilities() const override { return {}; }
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

  const api::LoadTest& test() const noexcept { return stored_.test; }

 private:
  Result<void> find(const api::Key& key, const std::string& uid) const;
  void changed();

  boost::asio::io_context& loop_;
  ports::StoredTest stored_;
  std::filesystem::path folder_;
  ports::StoreSink* sink_ = nullptr;
  engine::AsyncEvent ended_;
  uint64_t version_ = 1;
  bool stopping_ = false;
};

/// The files that the spec names by `path` and that cannot be had, a line each; "" = all are there.
std::string missing_files(const api::LoadTestSpec& spec, const std::filesystem::path& folder);

}  // namespace atq::app
