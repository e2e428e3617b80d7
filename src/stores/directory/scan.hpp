#pragma once
// One look at the whole folder: the truth behind the kernel's hints. Reads names and stamps, no
// content. Blocking; any thread.

#include <cstddef>
#include <string>
#include <vector>

#include "controller/ports/store.hpp"
#include "src/stores/directory/files.hpp"

namespace atq::stores::directory {

struct ScanLimits {
  size_t max_sources = 20'000;  ///< further files are counted, not listed
  size_t max_entries = 250'000;
  int max_depth = 8;  ///< folders below the root
};

struct FoundFile {
  std::string path;  ///< relative to the root
  Stamp stamp;
};

struct Scan {
  Fd root;                           ///< open; empty where the folder is gone
  std::vector<FoundFile> files;      ///< by path
  std::vector<std::string> folders;  ///< "" (the root) first; to be watched
  std::vector<ports::SourceProblem> problems;
  std::chrono::microseconds took{};
};

/// `only`: the name of the one source; "" = all. `skip`: a folder that is not entered (the data
/// folder, which may lie inside), by absolute path.
Scan scan_folder(const std::string& root, const std::string& only, const std::string& skip,
                 const ScanLimits& limits);

}  // namespace atq::stores::directory
