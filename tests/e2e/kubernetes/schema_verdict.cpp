// schema_verdict: our validator beside a real API server. Reads lines of JSON: a string is the YAML
// text of one document, an object is the document itself. Answers each with a line
//   {"accepted": true, "problems": ["…"], "encoded": "…"}
// where only what a schema can say counts, as an API server stores what is semantically wrong.

#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "controller/api/codec.hpp"

namespace {

using atq::api::Document;

Document read(const nlohmann::json& line) {
  if (!line.is_string()) return atq::api::decode_json(line.dump());
  auto documents = atq::api::decode_yaml(line.get<std::string>());
  if (documents.size() == 1) return std::move(documents.front());
  Document none;
  none.problems.push_back(
      {"", "found " + std::to_string(documents.size()) + " documents, expected one", "syntax"});
  return none;
}

nlohmann::json judge(const Document& document) {
  nlohmann::json problems = nlohmann::json::array();
  for (const auto& problem : document.problems) {
    if (problem.rule != "semantic") problems.push_back(to_string(problem));
  }
  if (document.foreign) problems.push_back("another apiVersion or kind");
  nlohmann::json verdict{{"accepted", problems.empty()}, {"problems", problems}};
  if (problems.empty()) verdict["encoded"] = atq::api::encode_json(document.test);
  return verdict;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << judge(read(nlohmann::json::parse(line))).dump() << std::endl;
  }
  return 0;
}
