#pragma once
// From the text of a source file to the LoadTests it holds. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "controller/api/codec.hpp"

namespace atq::stores::directory {

/// One LoadTest of a file, with a name we can keep it under.
struct Candidate {
  api::LoadTest test;
  std::vector<api::Problem> problems;  ///< it is shown with them, and refused
  int line = 1;
};

struct Ingested {
  std::vector<Candidate> candidates;
  std::vector<std::string> messages;  ///< what is wrong with the file itself
  /// The file as a whole cannot be trusted (half-written, no YAML, empty): what it held before
  /// stays. Then there are no candidates.
  bool broken = false;
};

/// `folder`: of the file below the store's root, which decides the namespace: files of the root
/// name their own, files of a folder belong to the folder's.
Ingested ingest(std::string_view text, std::string_view folder);

}  // namespace atq::stores::directory
