#include "src/cli/commands.hpp"
#include "src/cli/documents.hpp"

namespace atq::cli {
namespace {

/// Prints what is wrong; how many problems there are.
size_t report(const LoadedAll& all, std::ostream& err) {
  size_t count = all.errors.size();
  for (const Loaded& loaded : all.documents) {
    for (const auto& problem : loaded.document.problems) {
      err << locate(loaded, problem) << "\n";
      ++count;
    }
  }
  for (const std::string& error : all.errors) {
    err << error << "\n";
  }
  return count;
}

std::string plural(size_t count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

}  // namespace

int run_validate(const Command& command, Console& console) {
  const LoadedAll all = load_documents(command.files, console.in);
  const size_t problems = report(all, console.err);
  if (problems > 0) {
    console.err << plural(problems, "problem") << "\n";
    return kInvalid;
  }
  console.out << plural(all.documents.size(), "LoadTest") << " valid\n";
  return kDone;
}

int run_render(const Command& command, Console& console) {
  LoadedAll all = load_documents(command.files, console.in);
  if (!command.name.empty() && !all.documents.empty()) {
    const auto chosen = pick(all.documents, command.name);
    if (!chosen) {
      console.err << "atq: " << chosen.error().message << "\n";
      return kInvalid;
    }
    const Loaded only = **chosen;
    all.documents = {only};
  }
  if (report(all, console.err) > 0) {
    return kInvalid;
  }
  const char* separator = "";
  for (const Loaded& loaded : all.documents) {
    api::LoadTest test = loaded.document.test;
    test.spec = loaded.frozen.spec;
    if (command.output == "json") {
      console.out << api::encode_pretty_json(test) << "\n";
    } else {
      console.out << separator << api::encode_yaml(test);
      separator = "---\n";
    }
  }
  return kDone;
}

}  // namespace atq::cli
