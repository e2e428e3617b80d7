#pragma once
// inotify over a tree of folders. What it says are hints: a scan is the truth. Used from one thread
// at a time.

#include <string>
#include <unordered_map>
#include <vector>

#include "src/stores/directory/files.hpp"

namespace atq::stores::directory {

struct Hint {
  enum class Kind {
    Written,  ///< closed after writing, or moved here: whole
    Touched,  ///< made or its permissions changed: whole only if nobody writes it
    Gone,     ///< deleted or moved away
    Rescan,   ///< a folder came, went or moved, or events were lost
  };
  Kind kind = Kind::Rescan;
  std::string path;  ///< relative to the root
};

class Watcher {
 public:
  /// Never fails: without inotify fd() is -1 and problem() says why.
  Watcher();

  int fd() const { return inotify_.get(); }
  /// "" = every change is seen at once.
  const std::string& problem() const { return problem_; }

  /// Watches each of the folders (relative to `root`; "" = itself), again after they moved. True
  /// if one of them was not watched before: what changed in it until now has not been seen.
  bool watch(const std::string& root, const std::vector<std::string>& folders);

  /// What has happened since the last call; does not wait.
  std::vector<Hint> drain();

 private:
  void hint_of(uint32_t mask, int descriptor, std::string_view name, std::vector<Hint>& hints);

  Fd inotify_;
  std::string problem_;
  std::unordered_map<int, std::string> folders_;  ///< by watch descriptor
};

}  // namespace atq::stores::directory
