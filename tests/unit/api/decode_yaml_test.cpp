#include <gtest/gtest.h>

#include "controller/api/codec.hpp"
#include "controller/api/json_file.hpp"
#include "tests/unit/api/samples.hpp"

namespace atq::api {
namespace {

const std::string kHead = R"(apiVersion: atq.dev/v1alpha1
kind: LoadTest
metadata: {name: one}
)";

/// Of the only document.
std::string problems_of(const std::string& yaml) {
  const auto documents = decode_yaml(yaml);
  EXPECT_EQ(documents.size(), 1U) << yaml;
  return documents.empty() ? "" : to_string(documents[0].problems);
}

TEST(DecodeYaml, ReadsWhatItWrites) {
  LoadTest test = samples::full();
  // The schema wants one of each kind; the sample has all of them for the encoder's sake.
  test.spec.worker.readiness = Readiness{.log = "ready \\d+"};
  const std::string yaml = encode_yaml(test);
  const auto documents = decode_yaml(yaml);
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_EQ(documents[0].test.metadata, test.metadata);
  EXPECT_EQ(documents[0].test.spec, test.spec) << yaml;
  EXPECT_EQ(documents[0].test.status, test.status);
  EXPECT_EQ(encode_yaml(documents[0].test), yaml);
}

TEST(DecodeYaml, KeepsEveryText) {
  for (const std::string text : {"",
                                 " ",
                                 "a",
                                 "yes",
                                 "0777",
                                 "1e3",
                                 "~",
                                 "null",
                                 "2001-12-14",
                                 "12:30:45",
                                 "- a",
                                 "a: b",
                                 "a #b",
                                 "#b",
                                 "'q'",
                                 "\"d\"",
                                 "a\nb",
                                 "a\nb\n",
                                 "a\nb\n\n",
                                 "\n",
                                 "\na",
                                 " a\nb",
                                 "a\n b\n",
                                 "a\n\n\nb",
                                 "a \nb ",
                                 "tab\there",
                                 "\ttab\nx",
                                 "c:\\x",
                                 "{a}",
                                 "[a]",
                                 "*x",
                                 "&x",
                                 "!x",
                                 "%x",
                                 "@x",
                                 "`x",
                                 "?",
                                 "-",
                                 ":",
                                 "a:",
                                 "|",
                                 ">",
                                 "a\rb",
                                 "\x01",
                                 "\x7f",
                                 "é€😀",
                                 "\u0085",
                                 "a\u2028b",
                                 "\ufeffx",
                                 "trail ",
                                 "<<",
                                 "=",
                                 "...",
                                 "---",
                                 "1_000",
                                 ".inf",
                                 "y",
                                 "on",
                                 "$(ATQ_PLAN)",
                                 "a,b",
                                 "a\n---\nb",
                                 "line\n# no comment\n"}) {
    LoadTest test;
    test.metadata.name = "one";
    test.spec.run_nonce = text;
    test.spec.parameters = {{"p", text}};
    test.spec.files = {{.inline_files = {{"f", text}, {text.empty() ? "k" : text, "v"}}}};
    const auto documents = decode_yaml(encode_yaml(test));
    ASSERT_EQ(documents.size(), 1U);
    EXPECT_EQ(documents[0].test.spec, test.spec) << encode_yaml(test);
  }
}

TEST(DecodeYaml, SaysWhereAProblemStands) {
  EXPECT_TRUE(problems_of(kHead + R"(spec:
  tool: custom
  worker:
    command: [sleep, "1"]
    replicas: three
)")
                  .starts_with("line 8, column 5: spec.worker.replicas: found "));
}

TEST(DecodeYaml, ReportsAllProblemsInTheOrderOfTheText) {
  const auto documents = decode_yaml(kHead + R"(spec:
  toool: custom
  parameters: {threads: 50, on: yes}
  worker:
    command:
    - sleep
    - 1
    replicas: 0
    replicas: 2
  healthCheck:
    checks:
    - name: a
      tcp: {port: 99999}
)");
  ASSERT_EQ(documents.size(), 1U);
  const auto& problems = documents[0].problems;
  std::vector<std::string> paths;
  std::vector<int> lines;
  for (const Problem& problem : problems) {
    paths.push_back(problem.path);
    lines.push_back(problem.line);
  }
  EXPECT_EQ(paths, (std::vector<std::string>{"spec.toool", "spec.parameters.threads",
                                             "spec.parameters.true", "spec.worker.command[1]",
                                             "spec.worker.replicas", "spec.worker.replicas",
                                             "spec.healthCheck.checks[0].tcp.port"}))
      << to_string(problems);
  EXPECT_EQ(lines, (std::vector<int>{5, 6, 6, 10, 11, 12, 16}));
  EXPECT_EQ(problems[5].rule, "duplicate-key");
  EXPECT_EQ(problems[5].message,
            "found the key \"replicas\" twice (first on line 11), expected it once");
  EXPECT_EQ(documents[0].test.metadata.name, "one");
}

TEST(DecodeYaml, NumberForTextSaysHowToWriteIt) {
  const std::string text = problems_of(kHead + "spec: {parameters: {threads: 50}}\n");
  EXPECT_NE(text.find("found number 50, expected a string"), std::string::npos) << text;
  EXPECT_NE(text.find("in quotes"), std::string::npos) << text;
}

TEST(DecodeYaml, ReadsStreamsAndSkipsEmptyDocuments) {
  const std::string valid = kHead + "spec: {worker: {command: [a]}}\n";
  const auto documents =
      decode_yaml("---\n# nothing\n---\n" + valid + "---\n---\n" + valid + "...\n---\n~\n");
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(to_string(documents[0].problems), "");
  EXPECT_EQ(documents[0].line, 4);
  EXPECT_EQ(documents[1].line, 10);
  EXPECT_TRUE(decode_yaml("").empty());
  EXPECT_TRUE(decode_yaml("# only a comment\n").empty());
}

TEST(DecodeYaml, ASyntaxErrorEndsTheStreamButKeepsWhatCameBefore) {
  const std::string valid = kHead + "spec: {worker: {command: [a]}}\n";
  const auto documents = decode_yaml(valid + "---\n" + kHead + "spec: {worker: [\n---\n" + valid);
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(to_string(documents[0].problems), "");
  ASSERT_EQ(documents[1].problems.size(), 1U);
  EXPECT_EQ(documents[1].problems[0].rule, "syntax");
  EXPECT_EQ(documents[1].test.metadata.name, "one");
}

TEST(DecodeYaml, OthersObjectsAreForeign) {
  const auto documents = decode_yaml("apiVersion: v1\nkind: ConfigMap\ndata: {a: 1}\n");
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_TRUE(documents[0].foreign);
  EXPECT_TRUE(documents[0].problems.empty());
  for (const std::string yaml :
       {"apiVersion: atq.dev/v2\nkind: LoadTest\nmetadata: {name: a}\n",
        "apiVersion: atq.dev/v1alpha1\nkind: Loadtest\nmetadata: {name: a}\n",
        "kind: LoadTest\nmetadata: {name: a}\n", "services: {}\n", "- a\n", "text\n"}) {
    const auto ours = decode_yaml(yaml);
    ASSERT_EQ(ours.size(), 1U) << yaml;
    EXPECT_FALSE(ours[0].foreign) << yaml;
    EXPECT_FALSE(ours[0].problems.empty()) << yaml;
  }
}

TEST(DecodeYaml, ExpandsAliasesAndMerges) {
  const auto documents = decode_yaml(kHead + R"(spec:
  worker: &role
    command: [tool, &flag --fast]
    env: [{name: A, value: *flag}]
  master:
    <<: *role
    image: m
)");
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_EQ(to_string(documents[0].problems), "");
  const LoadTestSpec& spec = documents[0].test.spec;
  EXPECT_EQ(spec.master->command, (std::vector<std::string>{"tool", "--fast"}));
  EXPECT_EQ(spec.master->env[0].value, "--fast");
  EXPECT_EQ(spec.master->image, "m");
}

TEST(DecodeYaml, AByteOrderMarkIsNoProblem) {
  EXPECT_EQ(problems_of("\xEF\xBB\xBF" + kHead + "spec: {worker: {command: [a]}}\n"), "");
}

TEST(DecodeYaml, EveryPrefixOfADocumentGivesAProblemOrADocument) {
  const std::string yaml = encode_yaml(samples::full());
  for (size_t size = 0; size < yaml.size(); size += 37) {
    for (const Document& document : decode_yaml(yaml.substr(0, size))) {
      for (const Problem& problem : document.problems) EXPECT_FALSE(problem.message.empty());
    }
  }
}

TEST(DecodeJson, ReadsWhatItWrites) {
  LoadTest test = samples::full();
  test.spec.worker.readiness = Readiness{.log = "ready"};
  const Document document = decode_json(encode_json(test));
  EXPECT_EQ(document.test, test);
  EXPECT_EQ(decode_json(encode_pretty_json(test)).test, test);
}

TEST(DecodeJson, SaysWhereTheSyntaxIsWrong) {
  const Document document = decode_json("{\n  \"kind\": \"LoadTest\",\n  \"spec\": {,\n}");
  ASSERT_EQ(document.problems.size(), 1U);
  EXPECT_EQ(document.problems[0].rule, "syntax");
  EXPECT_EQ(document.problems[0].line, 3);
  EXPECT_TRUE(document.problems[0].message.starts_with("not valid JSON: "));
}

TEST(DecodeJson, SaysWhereTheProblemsOfAFileStand) {
  const std::string text = R"({
  "apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest",
  "metadata": {"name": "a\"\\"},
  "spec": {"worker": {"command": [true, "b"],
                      "replicas": 0
                     },
           "workr": null}
})";
  const auto has = [](const Document& document, std::string_view path, int line, int column) {
    return std::ranges::any_of(document.problems, [&](const Problem& problem) {
      return problem.path == path && problem.line == line && problem.column == column;
    });
  };
  const Document document = decode_json_file(text);
  EXPECT_TRUE(has(document, "metadata.name", 3, 16)) << to_string(document.problems);
  EXPECT_TRUE(has(document, "spec.worker.command[0]", 4, 35)) << to_string(document.problems);
  EXPECT_TRUE(has(document, "spec.worker.replicas", 5, 23)) << to_string(document.problems);
  EXPECT_TRUE(has(document, "spec.workr", 7, 12)) << to_string(document.problems);
  // As a store that got it from a server has it, there is no line to look at.
  EXPECT_TRUE(has(decode_json(text), "spec.workr", 0, 0));
}

TEST(DecodeJson, PlacesValuesAfterWhateverSpelling) {
  for (const std::string value : {R"("")", R"("\\")", R"("\"")", R"("\\\"x")", "12", "-1.5e+3",
                                  "true", "false", "null", "{}", "[]"}) {
    const Document document =
        decode_json_file("{\n \"spec\": {\"worker\": {\"command\": [" + value + " ,  7]}}}");
    const auto found =
        std::ranges::find(document.problems, "spec.worker.command[1]", &Problem::path);
    ASSERT_NE(found, document.problems.end()) << value << to_string(document.problems);
    EXPECT_EQ(found->line, 2) << value;
    EXPECT_EQ(found->column, 38 + static_cast<int>(value.size())) << value;
  }
}

TEST(DecodeJson, RefusesDuplicateKeys) {
  const Document document = decode_json(
      R"({"apiVersion":"atq.dev/v1alpha1","kind":"LoadTest","metadata":{"name":"a","name":"b"},
          "spec":{"worker":{"command":["a"]}}})");
  ASSERT_EQ(document.problems.size(), 1U) << to_string(document.problems);
  EXPECT_EQ(document.problems[0].path, "metadata.name");
  EXPECT_EQ(document.problems[0].rule, "duplicate-key");
  EXPECT_EQ(document.test.metadata.name, "a");
}

}  // namespace
}  // namespace atq::api
