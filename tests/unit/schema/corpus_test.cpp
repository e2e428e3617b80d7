// The documents of tests/data. Each invalid one begins with a comment line per problem:
//   # expect: path | message
// in the order in which they are reported. An API server agrees with `valid`, `schema-invalid`
// (refuses) and `semantic-invalid` (stores).

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "controller/api/codec.hpp"
#include "src/base/text.hpp"

namespace atq::api {
namespace {

std::vector<std::string> names_in(const std::string& corpus) {
  std::vector<std::string> names;
  const auto folder = std::filesystem::path(ATQ_SOURCE_DIR) / "tests/data" / corpus;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

std::string text_of(const std::string& corpus, const std::string& name) {
  const auto path =
      std::filesystem::path(ATQ_SOURCE_DIR) / "tests/data" / corpus / (name + ".yaml");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(in.good()) << path;
  return text.str();
}

std::vector<std::string> expected_in(const std::string& text) {
  static constexpr std::string_view kMark = "# expect: ";
  std::vector<std::string> expected;
  for (const auto& line : split(text, '\n')) {
    if (line.starts_with(kMark)) expected.push_back(line.substr(kMark.size()));
  }
  return expected;
}

Document decoded(const std::string& text) {
  auto documents = decode_yaml(text);
  EXPECT_EQ(documents.size(), 1U);
  return documents.empty() ? Document{} : documents.front();
}

std::vector<std::string> lines_of(const std::vector<Problem>& problems) {
  std::vector<std::string> lines;
  for (const auto& problem : problems) lines.push_back(problem.path + " | " + problem.message);
  return lines;
}

TEST(Corpus, IsLargeEnough) {
  EXPECT_GE(names_in("valid").size(), 30U);
  EXPECT_GE(names_in("schema-invalid").size(), 50U);
  EXPECT_GE(names_in("semantic-invalid").size(), 20U);
}

class Valid : public testing::TestWithParam<std::string> {};

TEST_P(Valid, HasNoProblem) {
  const auto document = decoded(text_of("valid", GetParam()));
  EXPECT_EQ(to_string(document.problems), "");
  EXPECT_FALSE(document.foreign);
}

TEST_P(Valid, SurvivesEncoding) {
  const auto test = decoded(text_of("valid", GetParam())).test;
  const auto from_yaml = decoded(encode_yaml(test));
  EXPECT_EQ(to_string(from_yaml.problems), "") << encode_yaml(test);
  EXPECT_EQ(from_yaml.test, test) << encode_yaml(test);
  const auto json = encode_json(test);
  const auto from_json = decode_json(json);
  EXPECT_EQ(to_string(from_json.problems), "") << json;
  EXPECT_EQ(from_json.test, test) << json;
  EXPECT_EQ(encode_json(from_json.test), json);
}

class Invalid : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(Invalid, HasExactlyTheExpectedProblems) {
  const auto& [corpus, name] = GetParam();
  const auto text = text_of(corpus, name);
  const auto document = decoded(text);
  const auto expected = expected_in(text);
  EXPECT_FALSE(expected.empty()) << "no `# expect:` line";
  EXPECT_EQ(lines_of(document.problems), expected);
  for (const auto& problem : document.problems) {
    EXPECT_GT(problem.line, 0) << to_string(problem);
    EXPECT_GT(problem.column, 0) << to_string(problem);
    EXPECT_EQ(problem.rule == "semantic", corpus == "semantic-invalid") << to_string(problem);
  }
}

std::string test_name(const std::string& name) {
  std::string out = name;
  std::ranges::replace(out, '-', '_');
  return out;
}

std::vector<std::pair<std::string, std::string>> invalid_documents() {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto* corpus : {"schema-invalid", "semantic-invalid"}) {
    for (const auto& name : names_in(corpus)) all.emplace_back(corpus, name);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Corpus, Valid, testing::ValuesIn(names_in("valid")),
                         [](const auto& entry) { return test_name(entry.param); });
INSTANTIATE_TEST_SUITE_P(Corpus, Invalid, testing::ValuesIn(invalid_documents()),
                         [](const auto& entry) {
                           return test_name(entry.param.first + "_" + entry.param.second);
                         });

}  // namespace
}  // namespace atq::api
