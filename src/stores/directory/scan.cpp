#include "src/stores/directory/scan.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/text.hpp"
#include "src/stores/directory/names.hpp"

namespace atq::stores::directory {
namespace {

struct Entry {
  std::string name;
  unsigned char type = DT_UNKNOWN;
};

class Scanner {
 public:
  Scanner(Scan& scan, const ScanLimits& limits, const std::string& skip)
      : scan_(scan), limits_(limits) {
    struct stat info{};
    if (!skip.empty() && ::stat(skip.c_str(), &info) == 0) skip_ = {info.st_dev, info.st_ino};
  }

  void folder(int fd, const std::string& path, int depth) {
    scan_.folders.push_back(path);
    auto entries = list(fd, path);
    std::ranges::sort(entries, {}, &Entry::name);
    const auto ns = namespace_of(path);
    bool sources = false;
    for (const auto& entry : entries) {
      const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
      if (entry.type == DT_DIR) {
        descend(fd, entry.name, below, depth);
      } else if (is_source_name(entry.name)) {
        sources = true;
        if (ns) source(below);
      } else if (entry.type == DT_LNK) {
        folder_link(fd, entry.name, below);
      }
    }
    if (sources && !ns) problem(path + "/", ns.error().message);
  }

  void finish() {
    if (ignored_ > 0) {
      problem("", "has " + std::to_string(ignored_) + " YAML files more than the " +
                      std::to_string(limits_.max_sources) + " that are read; they are ignored");
    }
    if (seen_ > limits_.max_entries) {
      problem("", "has more than " + std::to_string(limits_.max_entries) +
                      " files; the rest is ignored");
    }
    std::ranges::sort(scan_.files, {}, &FoundFile::path);
  }

 private:
  std::vector<Entry> list(int fd, const std::string& path) {
    std::vector<Entry> entries;
    const int copy = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* opened = copy < 0 ? nullptr : ::fdopendir(copy);
    if (opened == nullptr) {
      problem(path + "/", from_errno(errno, "read folder").message);
      return entries;
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(opened, &::closedir);
    while (const dirent* entry = ::readdir(dir.get())) {
      if (is_hidden(entry->d_name)) continue;
      if (++seen_ > limits_.max_entries) break;
      unsigned char type = entry->d_type;
      struct stat info{};
      if (type == DT_UNKNOWN && ::fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
        type = static_cast<unsigned char>(IFTODT(info.st_mode));
      }
      const bool wanted = type == DT_DIR || type == DT_LNK || is_source_name(entry->d_name);
      if (wanted) entries.push_back({entry->d_name, type});
    }
    return entries;
  }

  void descend(int fd, const std::string& name, const std::string& path, int depth) {
    if (depth >= limits_.max_depth) {
      problem(path + "/",
              "lies deeper than " + std::to_string(limits_.max_depth) + " folders and is ignored");
      return;
    }
    const Fd below(::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below) {
      if (errno != ENOENT) problem(path + "/", from_errno(errno, "open folder").message);
      return;
    }
    struct stat info{};
    if (::fstat(below.get(), &info) == 0 && skip_.first == info.st_dev &&
        skip_.second == info.st_ino) {
      return;
    }
    folder(below.get(), path, depth + 1);
  }

  void source(const std::string& path) {
    if (!is_clean_utf8(path)) {
      problem(path, "has a name that is not UTF-8 and is ignored; rename it");
    } else if (scan_.files.size() >= limits_.max_sources) {
      ++ignored_;
    } else {
      scan_.files.push_back({path, stamp_of(scan_.root.get(), path)});
    }
  }

  void folder_link(int fd, const std::string& name, const std::string& path) {
    struct stat info{};
    if (::fstatat(fd, name.c_str(), &info, 0) == 0 && S_ISDIR(info.st_mode)) {
      problem(path, "symbolic link to a folder; it is not followed");
    }
  }

  void problem(const std::string& source, std::string message) {
    constexpr size_t kMost = 1'000;
    if (scan_.problems.size() >= kMost) return;
    scan_.problems.push_back({source.empty() ? "." : shown(source), std::move(message)});
  }

  Scan& scan_;
  const ScanLimits& limits_;
  std::pair<dev_t, ino_t> skip_{};
  size_t seen_ = 0;
  size_t ignored_ = 0;
};

}  // namespace

Scan scan_folder(const std::string& root, const std::string& only, const std::string& skip,
                 const ScanLimits& limits) {
  const auto started = std::chrono::steady_clock::now();
  Scan scan;
  auto opened = open_folder(root);
  if (!opened) {
    scan.problems.push_back(
        {".", opened.error().message + "; its tests stay as they were until it is back"});
    return scan;
  }
  scan.root = std::move(*opened);
  if (only.empty()) {
    Scanner scanner(scan, limits, skip);
    scanner.folder(scan.root.get(), "", 0);
    scanner.finish();
  } else {
    scan.folders.emplace_back();
    if (exists(scan.root.get(), only)) {
      scan.files.push_back({only, stamp_of(scan.root.get(), only)});
    }
  }
  scan.took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - started);
  return scan;
}

}  // namespace atq::stores::directory
