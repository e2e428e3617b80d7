#include "src/stores/directory/watcher.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/inotify.h>
#include <unistd.h>

namespace atq::stores::directory {
namespace {

// Not IN_MODIFY: a file is read when its writer is done, and long writes shall wake nobody.
constexpr uint32_t kMask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
                           IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

std::string explain(int error, const char* what) {
  std::string text = "changes are seen late, by looking at the folder every 10 s: " +
                     from_errno(error, what).message;
  if (error == ENOSPC) text += "; raise fs.inotify.max_user_watches";
  if (error == EMFILE) text += "; raise fs.inotify.max_user_instances";
  return text;
}

}  // namespace

Watcher::Watcher() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  if (!inotify_) problem_ = explain(errno, "inotify");
}

bool Watcher::watch(const std::string& root, const std::vector<std::string>& folders) {
  if (!inotify_) return false;
  bool fresh = false;
  problem_.clear();
  for (const auto& folder : folders) {
    const std::string path = folder.empty() ? root : root + "/" + folder;
    const int descriptor = ::inotify_add_watch(inotify_.get(), path.c_str(), kMask);
    if (descriptor < 0) {
      // A folder that has just gone is reported by its parent's watch.
      if (errno != ENOENT && errno != ENOTDIR) problem_ = explain(errno, "inotify watch");
      continue;
    }
    const auto [it, added] = folders_.insert_or_assign(descriptor, folder);
    fresh = fresh || added;
  }
  return fresh;
}

std::vector<Hint> Watcher::drain() {
  std::vector<Hint> hints;
  if (!inotify_) return hints;
  alignas(inotify_event) std::array<char, 64 * 1024> buffer;  // NOLINT: filled by read()
  for (;;) {
    const ssize_t n = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return hints;
    for (size_t at = 0; at < static_cast<size_t>(n);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* name = event.len > 0 ? buffer.data() + at + sizeof(event) : "";
      hint_of(event.mask, event.wd, name, hints);
      at += sizeof(event) + event.len;
    }
  }
}

void Watcher::hint_of(uint32_t mask, int descriptor, std::string_view name,
                      std::vector<Hint>& hints) {
  if ((mask & IN_Q_OVERFLOW) != 0) return hints.push_back({Hint::Kind::Rescan, {}});
  const auto folder = folders_.find(descriptor);
  if (folder == folders_.end()) return;
  if ((mask & IN_IGNORED) != 0) {
    folders_.erase(folder);
    return;
  }
  const bool rescan = (mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0;
  const bool is_folder = (mask & IN_ISDIR) != 0 && (mask & IN_ATTRIB) == 0;
  // "..data" and its like: Kubernetes swaps such a link to change a mounted ConfigMap.
  const bool swapped = name.starts_with("..") && (mask & IN_MOVED_TO) != 0;
  if (rescan || swapped) return hints.push_back({Hint::Kind::Rescan, {}});
  if (name.empty() || name.starts_with('.')) return;
  if (is_folder) return hints.push_back({Hint::Kind::Rescan, {}});
  std::string path =
      folder->second.empty() ? std::string(name) : folder->second + "/" + std::string(name);
  Hint::Kind kind = Hint::Kind::Touched;
  if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) kind = Hint::Kind::Written;
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) kind = Hint::Kind::Gone;
  hints.push_back({kind, std::move(path)});
}

}  // namespace atq::stores::directory
