#pragma once
// What a directory store is told at its start.

#include <chrono>
#include <filesystem>
#include <string>

#include "src/stores/directory/scan.hpp"

namespace atq::stores::directory {

struct Options {
  std::filesystem::path source;  ///< a folder of YAML files, or one YAML file
  std::filesystem::path data;    ///< the director's --data; records go to data/store

  size_t max_tests = 20'000;
  size_t max_file_bytes = 1'500'000;
  ScanLimits scan;
  /// The folder is looked at this often, besides the kernel's hints; without them every 10 s.
  std::chrono::milliseconds scan_period{60'000};
  /// How long a document must be gone before its test is deleted: editors save by replacing files.
  std::chrono::milliseconds removal_grace{500};

  // Derived by resolve_options().
  std::string root;      ///< the folder, absolute, without links
  std::string only;      ///< name of the one file; "" = the whole folder
  std::string data_dir;  ///< absolute
};

/// Fills in the derived fields. A source that does not exist is found out by the store's load.
Options resolve_options(Options options);

}  // namespace atq::stores::directory
