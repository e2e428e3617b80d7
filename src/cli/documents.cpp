#include "src/cli/documents.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "controller/api/json_file.hpp"
#include "src/base/text.hpp"

namespace atq::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFile = 16U << 20;

Result<std::string> read_all(std::istream& in, const std::string& name) {
  std::string text;
  std::vector<char> piece(64 * 1024);
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
    text.append(piece.data(), static_cast<size_t>(in.gcount()));
    if (text.size() > kMaxFile) {
      return fail(ErrorKind::Invalid,
                  name + ": larger than " + std::to_string(kMaxFile >> 20) + " MiB");
    }
  }
  return text;
}

Result<std::string> read_file(const fs::path& path) {
  std::error_code code;
  const auto status = fs::status(path, code);
  if (!fs::exists(status)) {
    return fail(ErrorKind::NotFound, path.string() + ": no such file");
  }
  if (!fs::is_regular_file(status)) {
    return fail(ErrorKind::Invalid, path.string() + ": no regular file");
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return std::unexpected(from_errno(errno, path.string()));
  }
  return read_all(in, path.string());
}

bool is_json(const fs::path& path) { return path.extension() == ".json"; }

bool is_document(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml" || is_json(path);
}

/// Files that the spec names by path must be there, inside the folder.
void check_files(const std::vector<api::FileSource>& files, const std::string& where,
                 const fs::path& folder, std::vector<api::Problem>& problems) {
  std::error_code code;
  const fs::path root = fs::weakly_canonical(folder, code);
  for (size_t index = 0; index < files.size(); ++index) {
    if (files[index].path.empty()) {
      continue;
    }
    const fs::path path = fs::weakly_canonical(root / files[index].path, code);
    const auto inside = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
    std::string message;
    if (inside.first != root.end()) {
      message = "is outside of the folder of the LoadTest";
    } else if (!fs::is_regular_file(path, code)) {
      message = "there is no such file in " + root.string();
    }
    if (!message.empty()) {
      problems.push_back({.path = where + "[" + std::to_string(index) + "].path",
                          .message = "\"" + files[index].path + "\" " + message,
                          .rule = "semantic"});
    }
  }
}

void add_document(LoadedAll& all, const std::string& source, const fs::path& folder,
                  api::Document document) {
  Loaded loaded{source, folder, std::move(document), {}};
  auto& problems = loaded.document.problems;
  const auto& spec = loaded.document.test.spec;
  // What depends on a wrong spec would only repeat what is wrong.
  if (problems.empty()) {
    auto resolved = api::resolve(spec);
    loaded.frozen = std::move(resolved.frozen);
    problems = std::move(resolved.problems);
    check_files(spec.files, "spec.files", folder, problems);
    check_files(spec.worker.role.files, "spec.worker.files", folder, problems);
    if (spec.master) {
      check_files(spec.master->files, "spec.master.files", folder, problems);
    }
  }
  for (auto& problem : problems) {
    problem.line = problem.line > 0 ? problem.line : loaded.document.line;
    problem.column = std::max(problem.column, 1);
  }
  all.documents.push_back(std::move(loaded));
}

void add_text(LoadedAll& all, const std::string& source, const fs::path& folder,
              const std::string& text, bool json, bool must_have) {
  std::vector<api::Document> documents;
  if (json) {
    documents.push_back(api::decode_json_file(text));
  } else {
    documents = api::decode_yaml(text);
  }
  size_t found = 0;
  for (auto& document : documents) {
    if (!document.foreign) {
      ++found;
      add_document(all, source, folder, std::move(document));
    }
  }
  if (found == 0 && must_have) {
    all.errors.push_back(source +
                         ": no LoadTest in it (expected apiVersion: atq.dev/v1alpha1, "
                         "kind: LoadTest)");
  }
}

void add_file(LoadedAll& all, const fs::path& path, bool must_have) {
  const auto text = read_file(path);
  if (!text) {
    all.errors.push_back(text.error().message);
    return;
  }
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  add_text(all, path.string(), folder, *text, is_json(path), must_have);
}

void add_folder(LoadedAll& all, const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code code;
  for (fs::recursive_directory_iterator at(folder, code), end; !code && at != end;
       at.increment(code)) {
    if (is_document(at->path()) && at->is_regular_file()) {
      files.push_back(at->path());
    }
  }
  if (code) {
    all.errors.push_back(folder.string() + ": " + code.message());
  }
  std::ranges::sort(files);
  for (const auto& file : files) {
    add_file(all, file, false);
  }
}

}  // namespace

LoadedAll load_documents(const std::vector<std::string>& names, std::istream& in) {
  LoadedAll all;
  for (const std::string& name : names) {
    std::error_code code;
    if (name == "-") {
      const auto text = read_all(in, "<stdin>");
      if (text) {
        const bool json = text->find_first_not_of(" \t\r\n") != std::string::npos &&
                          text->at(text->find_first_not_of(" \t\r\n")) == '{';
        add_text(all, "<stdin>", ".", *text, json, true);
      } else {
        all.errors.push_back(text.error().message);
      }
    } else if (fs::is_directory(name, code)) {
      add_folder(all, name);
    } else {
      add_file(all, name, true);
    }
  }
  return all;
}

std::string locate(const Loaded& loaded, const api::Problem& problem) {
  return loaded.source + ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column) +
         ": " + (problem.path.empty() ? "" : problem.path + ": ") + to_printable(problem.message);
}

Result<const Loaded*> pick(const std::vector<Loaded>& documents, const std::string& name) {
  std::vector<std::string> names;
  const Loaded* found = nullptr;
  size_t matches = 0;
  for (const Loaded& loaded : documents) {
    const std::string& own = loaded.document.test.metadata.name;
    names.push_back(own);
    if (name.empty() || name == own) {
      found = &loaded;
      ++matches;
    }
  }
  const std::string listed = join(names, ", ");
  if (matches == 0) {
    return fail(ErrorKind::Invalid, documents.empty() ? "there is no LoadTest"
                                                      : "there is no LoadTest \"" + name +
                                                            "\", expected one of " + listed);
  }
  if (matches > 1) {
    return fail(ErrorKind::Invalid,
                name.empty() ? "there are several LoadTests, choose one with --name: " + listed
                             : "there are several LoadTests \"" + name + "\"");
  }
  return found;
}

}  // namespace atq::cli
