#include "tests/unit/stores/directory/fixture.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace atq::stores::directory {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "atq-store-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

void write_file(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string yaml_of(const std::string& name, int replicas) {
  return "apiVersion: atq.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: " + name +
         "}\nspec:\n  tool: custom\n  worker: {replicas: " + std::to_string(replicas) +
         ", command: [\"true\"]}\n";
}

StoreFixture::StoreFixture(boost::asio::io_context& io) : StoreFixture(io, {}) {}

StoreFixture::StoreFixture(boost::asio::io_context& io, Options options)
    : io_(io), clock_(io), options_(std::move(options)) {
  fs::create_directories(folder());
  if (options_.source.empty()) options_.source = folder();
  options_.data = data();
  restart();
}

void StoreFixture::restart() {
  store_.reset();
  store_ = std::make_unique<DirectoryStore>(io_.get_executor(), clock_, options_);
}

void StoreFixture::write(const api::LoadTest& test) {
  write_file(folder() / (test.metadata.name + ".yaml"), api::encode_yaml(test));
}

void StoreFixture::erase(const api::Key& key) { fs::remove(folder() / (key.name + ".yaml")); }

}  // namespace atq::stores::directory
