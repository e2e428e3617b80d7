#pragma once
// LoadTests from files, folders and standard input, with everything that is wrong with them.

#include <filesystem>
#include <istream>
#include <string>
#include <vector>

#include "controller/api/codec.hpp"
#include "controller/api/profile.hpp"

namespace atq::cli {

/// One document of a source.
struct Loaded {
  std::string source;            ///< "checkout.yaml", "<stdin>"
  std::filesystem::path folder;  ///< what its files are relative to
  api::Document document;        ///< its problems include those of profile and files
  api::FrozenSpec frozen;        ///< profile and defaults filled in
};

/// Every LoadTest of `names` (files, folders with *.yaml, *.yml and *.json below them, "-"); other
/// kinds are left out. Errors: what cannot be read, or a file given by name without any LoadTest.
struct LoadedAll {
  std::vector<Loaded> documents;
  std::vector<std::string> errors;  ///< "x.yaml: no such file"
};
LoadedAll load_documents(const std::vector<std::string>& names, std::istream& in);

/// "checkout.yaml:4:9: spec.worker.replicas: found …"
std::string locate(const Loaded& loaded, const api::Problem& problem);

/// The one called `name` ("" = the only one). Invalid: none, or several, which are named.
Result<const Loaded*> pick(const std::vector<Loaded>& documents, const std::string& name);

}  // namespace atq::cli
