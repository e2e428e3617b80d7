#include "controller/api/yaml_scalar.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controller/api/document.hpp"

namespace atq::api {
namespace {

using nlohmann::json;

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The document as compact JSON, or "refused".
std::string meaning_of(const std::string& yaml) {
  const auto documents = parse_yaml(yaml, {});
  if (documents.empty()) return "null";
  if (!documents.front().problems.empty()) return "refused";
  return documents.front().value->dump();
}

TEST(YamlScalars, MeanWhatKubectlTakesThemFor) {
  const auto table = parse_yaml(read_file(ATQ_SOURCE_DIR "/tests/data/yaml-scalars.yaml"), {});
  ASSERT_EQ(table.size(), 1U);
  ASSERT_TRUE(table[0].problems.empty()) << to_string(table[0].problems);
  ASSERT_GT((*table[0].value).size(), 300U);
  for (const json& row : (*table[0].value)) {
    const auto yaml = row.at("yaml").get<std::string>();
    const auto expected =
        row.contains("ours") ? row.at("ours") : row.value("json", json("refused"));
    const auto text = expected.get<std::string>();
    EXPECT_EQ(meaning_of(yaml), text == "refused" ? text : json::parse(text).dump()) << yaml;
  }
}

}  // namespace
}  // namespace atq::api
