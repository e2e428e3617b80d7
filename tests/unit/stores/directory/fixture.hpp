#pragma once
// A directory store over folders of its own under the temporary directory.

#include <filesystem>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

#include "controller/engine/asio_clock.hpp"
#include "src/stores/directory/directory_store.hpp"
#include "tests/conformance/store_suite.hpp"

namespace atq::stores::directory {

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void write_file(const std::filesystem::path& path, std::string_view text);
std::string read_file(const std::filesystem::path& path);
/// YAML of a custom LoadTest.
std::string yaml_of(const std::string& name, int replicas = 2);

/// For conformance::StoreSuite and the tests of this folder. `folder()` is what the user has,
/// `data()` the director's.
class StoreFixture {
 public:
  explicit StoreFixture(boost::asio::io_context& io);
  StoreFixture(boost::asio::io_context& io, Options options);

  DirectoryStore& store() { return *store_; }
  void restart();
  void write(const api::LoadTest& test);
  void erase(const api::Key& key);

  std::filesystem::path folder() const { return temporary_.path() / "tests"; }
  std::filesystem::path data() const { return temporary_.path() / "data"; }
  std::filesystem::path record(const std::string& name, const std::string& ns = "default") const {
    return data() / "store" / ns / (name + ".json");
  }
  Options& options() { return options_; }

 private:
  boost::asio::io_context& io_;
  engine::AsioClock clock_;
  TemporaryFolder temporary_;
  Options options_;
  std::unique_ptr<DirectoryStore> store_;
};

/// A test of the store with its watch.
class DirectoryTest : public ::testing::Test {
 protected:
  template <class T>
  Result<T> wait(AsyncResult<T> task) {
    return conformance::wait_for(io_, std::move(task));
  }
  /// Starts the watch and waits for the first truth.
  void start() {
    watch_.emplace(io_, fixture_.store());
    ASSERT_TRUE(watch_->synced()) << (watch_->result ? watch_->result->error().message : "");
  }
  void restart() {
    watch_.reset();
    fixture_.restart();
    start();
  }
  conformance::RecordingSink& sink() { return watch_->sink; }
  const ports::StoredTest* find(const std::string& name, const std::string& ns = "default") {
    return watch_->sink.find({ns, name});
  }
  bool sees(const std::function<bool()>& done) { return watch_->sees(done); }
  std::filesystem::path file(const std::string& name) const { return fixture_.folder() / name; }

  boost::asio::io_context io_;
  StoreFixture fixture_{io_};
  std::optional<conformance::Watch> watch_;
};

}  // namespace atq::stores::directory
