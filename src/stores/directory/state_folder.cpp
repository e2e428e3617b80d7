#include "src/stores/directory/state_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "src/stores/directory/names.hpp"

namespace atq::stores::directory {
namespace {

constexpr size_t kMaxRecordBytes = 16'000'000;  // JSON escapes can lengthen a spec of 1.5 MB
constexpr std::string_view kSuffix = ".json";
constexpr std::string_view kTemporary = ".new-";
/// More are synced by one syncfs(), which also waits for what everybody else has written to the
/// file system: worth it where it stands for that many waits of our own.
constexpr size_t kMostSyncedOneByOne = 32;

std::string file_of(const api::Key& key) { return key.name + std::string(kSuffix); }

/// Names in a folder, sorted.
Result<std::vector<std::string>> names_in(int folder) {
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return std::unexpected(from_errno(errno, "open state folder"));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(copy), &::closedir);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

Result<void> rename_in(int folder, const std::string& from, const std::string& to) {
  if (::renameat(folder, from.c_str(), folder, to.c_str()) == 0) return {};
  return std::unexpected(from_errno(errno, "write state of " + to));
}

Result<void> sync(int fd) {
  if (::fsync(fd) == 0) return {};
  return std::unexpected(from_errno(errno, "sync state"));
}

}  // namespace

Result<StateFolder> StateFolder::open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return std::unexpected(from_errno(error.value(), "make folder " + path));
  auto root = open_folder(path);
  if (!root) return std::unexpected(root.error());
  return StateFolder(std::move(*root));
}

Result<Fd> StateFolder::open_namespace(const std::string& ns, bool create) const {
  if (create && ::mkdirat(root_.get(), ns.c_str(), 0750) == 0) ::fsync(root_.get());
  Fd fd(::openat(root_.get(), ns.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return std::unexpected(from_errno(errno, "open state of namespace " + ns));
  return fd;
}

Result<Record> StateFolder::read(const api::Key& key) const {
  const auto folder = open_namespace(key.ns, false);
  if (!folder) return std::unexpected(folder.error());
  const Fd file(::openat(folder->get(), file_of(key).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return std::unexpected(from_errno(errno, "open state of " + api::to_string(key)));
  const auto text = read_all(file.get(), kMaxRecordBytes);
  if (!text) return std::unexpected(text.error());
  auto record = decode_record(*text);
  if (!record) return fail_with("state of " + api::to_string(key), record.error());
  if (record->key != key) {
    return fail(ErrorKind::Invalid,
                "state of " + api::to_string(key) + " is that of " + api::to_string(record->key));
  }
  return record;
}

Result<void> StateFolder::write(const Record& record) { return write_all({&record}); }

Result<void> StateFolder::write_all(const std::vector<const Record*>& records) {
  struct Staged {
    int folder;
    std::string from, to;
    Fd file;
  };
  const bool many = records.size() > kMostSyncedOneByOne;
  std::map<std::string, Fd> folders;
  std::vector<Staged> staged;
  const auto give_up = [&](Error error) -> Result<void> {
    for (const auto& s : staged) ::unlinkat(s.folder, s.from.c_str(), 0);
    return std::unexpected(std::move(error));
  };
  for (const Record* record : records) {
    auto& folder = folders[record->key.ns];
    if (!folder) {
      auto opened = open_namespace(record->key.ns, true);
      if (!opened) return give_up(opened.error());
      folder = std::move(*opened);
    }
    std::string temporary = std::string(kTemporary) + std::to_string(staged.size());
    ::unlinkat(folder.get(), temporary.c_str(), 0);
    auto file = write_new(folder.get(), temporary, encode_record(*record));
    if (!file) return give_up(file.error());
    staged.push_back(
        {folder.get(), std::move(temporary), file_of(record->key), many ? Fd() : std::move(*file)});
  }
  if (many) {
    if (::syncfs(root_.get()) != 0) return give_up(from_errno(errno, "sync state"));
  } else {
    // All on their way before the first is waited for: they share commits of the journal.
    for (const auto& s : staged) {
      if (staged.size() > 1) ::sync_file_range(s.file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    }
    for (const auto& s : staged) {
      if (::fdatasync(s.file.get()) != 0) return give_up(from_errno(errno, "sync state"));
    }
  }
  for (const auto& s : staged) {
    if (auto renamed = rename_in(s.folder, s.from, s.to); !renamed) return give_up(renamed.error());
  }
  // The new names too: what is reported as written must outlive a power failure.
  for (const auto& [ns, folder] : folders) {
    if (auto synced = sync(folder.get()); !synced) return synced;
  }
  return {};
}

Result<void> StateFolder::erase(const api::Key& key) {
  const auto folder = open_namespace(key.ns, false);
  if (!folder) {
    if (folder.error().kind == ErrorKind::NotFound) return {};
    return std::unexpected(folder.error());
  }
  if (::unlinkat(folder->get(), file_of(key).c_str(), 0) != 0) {
    if (errno == ENOENT) return {};
    return std::unexpected(from_errno(errno, "delete state of " + api::to_string(key)));
  }
  return sync(folder->get());
}

void StateFolder::set_aside(const api::Key& key) {
  const auto folder = open_namespace(key.ns, false);
  if (!folder) return;
  const std::string name = file_of(key);
  // Where even this fails, the next write replaces it.
  ::renameat(folder->get(), name.c_str(), folder->get(), (name + ".damaged").c_str());
}

Result<void> StateFolder::for_each(
    const std::function<void(Record)>& each,
    const std::function<void(const api::Key&, const Error&)>& damaged) const {
  const auto namespaces = names_in(root_.get());
  if (!namespaces) return std::unexpected(namespaces.error());
  for (const auto& ns : *namespaces) {
    if (!is_dns_label(ns)) continue;
    const auto folder = open_namespace(ns, false);
    if (!folder) continue;
    const auto names = names_in(folder->get());
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
      if (name.starts_with(kTemporary)) ::unlinkat(folder->get(), name.c_str(), 0);
      if (is_hidden(name) || !name.ends_with(kSuffix)) continue;
      const api::Key key{ns, name.substr(0, name.size() - kSuffix.size())};
      auto record = read(key);
      if (record) {
        each(std::move(*record));
      } else {
        damaged(key, record.error());
      }
    }
  }
  return {};
}

}  // namespace atq::stores::directory
