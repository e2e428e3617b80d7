// The parts of the store that touch no file.
#include <gtest/gtest.h>

#include "src/stores/directory/ingest.hpp"
#include "src/stores/directory/names.hpp"
#include "src/stores/directory/record.hpp"
#include "src/stores/directory/splice.hpp"
#include "tests/unit/stores/directory/fixture.hpp"

namespace atq::stores::directory {
namespace {

TEST(Names, OnlyVisibleYamlFilesAreSources) {
  for (const auto* name : {"a.yaml", "a.b.yml", "UPPER.yaml"}) EXPECT_TRUE(is_source_name(name));
  for (const auto* name :
       {".a.yaml", ".a.yaml.swp", "a.yaml~", "a.json", "yaml", "4913", ".yaml"}) {
    EXPECT_FALSE(is_source_name(name)) << name;
  }
}

TEST(Names, FoldersAreNamespaces) {
  EXPECT_EQ(*namespace_of(""), "default");
  EXPECT_EQ(*namespace_of("team"), "team");
  EXPECT_EQ(*namespace_of("team/nightly"), "team-nightly");
  const auto bad = namespace_of("My Tests");
  ASSERT_FALSE(bad);
  EXPECT_EQ(
      bad.error().message,
      "folder \"My Tests\" stands for the namespace \"My Tests\", which is no valid name: use "
      "lower-case letters, digits and '-', at most 63");
  EXPECT_FALSE(namespace_of(std::string(64, 'a')));
}

TEST(Names, ObjectNamesAreSafeFileNames) {
  EXPECT_TRUE(is_object_name("a"));
  EXPECT_TRUE(is_object_name("a-1.b"));
  for (const auto* name : {"", "..", "a/b", "A", "-a", "a..b", "a."}) {
    EXPECT_FALSE(is_object_name(name)) << name;
  }
}

Record sample_record() {
  Record record;
  record.key = {"team", "checkout"};
  record.uid = "0b1c";
  record.generation = 4;
  record.version = 18'446'744'073'709'551'000U;
  record.created = TimePoint(Duration(1'234'567));
  record.deleted = TimePoint(Duration(2'345'678));
  record.from = {"/srv/tests", "team/a.yaml", 12, 0xFFFF'FFFF'FFFF'FFFFU, 3, "0.1.0"};
  record.labels = {{"a", "b"}};
  record.annotations = {{"x", "1"}};
  record.requests = {{"x", std::nullopt}, {"y", "2\n\"quoted\""}};
  record.problems = {{"spec.tool", "found \"x\"", "schema", 3, 9}};
  record.spec = api::encode_spec(conformance::load_test("checkout").spec);
  api::LoadTestStatus status;
  status.message = "line one\nline two";
  record.status = api::encode_status(status);
  return record;
}

TEST(Record, ComesBackAsItWasWritten) {
  const Record record = sample_record();
  const std::string text = encode_record(record);
  EXPECT_EQ(std::ranges::count(text, '\n'), 3);
  const auto again = decode_record(text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(encode_record(*again), text);
  EXPECT_EQ(again->uid, record.uid);
  EXPECT_EQ(again->version, record.version);
  EXPECT_EQ(again->from, record.from);
  EXPECT_EQ(again->requests, record.requests);
  EXPECT_EQ(again->problems, record.problems);
  EXPECT_EQ(again->deleted, record.deleted);
}

TEST(Record, RequestsLieOverAnnotations) {
  const auto stored = to_stored(sample_record());
  ASSERT_TRUE(stored) << stored.error().message;
  const auto& annotations = stored->test.metadata.annotations;
  EXPECT_FALSE(annotations.contains("x")) << "hidden by a request";
  EXPECT_EQ(annotations.at("y"), "2\n\"quoted\"");
  EXPECT_EQ(stored->test.status.message, "line one\nline two");
  EXPECT_EQ(stored->test.spec.worker.replicas, 2);
}

TEST(Record, TakingBackARequestShowsTheFilesWordUnlessHidden) {
  Record record = sample_record();
  EXPECT_TRUE(merge_requests(record, {{"y", std::nullopt}}));
  EXPECT_FALSE(record.requests.contains("y"));
  EXPECT_FALSE(merge_requests(record, {{"x", std::nullopt}})) << "hidden already";
}

TEST(Record, EveryCutRecordIsRefused) {
  const std::string text = encode_record(sample_record());
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(decode_record(text.substr(0, length))) << length;
  }
  EXPECT_FALSE(decode_record("{\"state\":{},\n\"spec\":{},\n\"status\":null}\n"));
  EXPECT_FALSE(decode_record("{\"state\":[1],\n\"spec\":{},\n\"status\":null}\n"));
}

TEST(Splice, ReplacesOneDocumentAndKeepsTheBytesOfTheOthers) {
  const std::string text = "# first\na: 1\n---\n# second\nb: 2\n--- # third\nc: |\n  ---x\n";
  EXPECT_EQ(splice(text, 4, "B: 3\n"), "# first\na: 1\n---\nB: 3\n---\nc: |\n  ---x\n");
  EXPECT_EQ(splice(text, 1, "A: 3\n"), "A: 3\n---\n# second\nb: 2\n---\nc: |\n  ---x\n");
  EXPECT_EQ(splice(text, 7, ""), "# first\na: 1\n---\n# second\nb: 2\n");
}

TEST(Splice, NothingIsLeftOfTheLastDocument) {
  EXPECT_EQ(splice("a: 1\n", 1, ""), std::nullopt);
  EXPECT_EQ(splice("---\na: 1\n---\n \n", 2, ""), std::nullopt);
}

TEST(Ingest, TheFolderDecidesTheNamespace) {
  const auto in_root = ingest(yaml_of("a"), "");
  ASSERT_EQ(in_root.candidates.size(), 1U);
  EXPECT_EQ(in_root.candidates[0].test.metadata.ns, "default");
  const auto in_folder = ingest(yaml_of("a"), "team/x");
  ASSERT_EQ(in_folder.candidates.size(), 1U);
  EXPECT_EQ(in_folder.candidates[0].test.metadata.ns, "team-x");
  EXPECT_TRUE(in_folder.candidates[0].problems.empty());
}

TEST(Ingest, ANamespaceThatContradictsTheFolderIsAProblem) {
  const auto result = ingest(yaml_of("a, namespace: other"), "team");
  ASSERT_EQ(result.candidates.size(), 1U);
  EXPECT_EQ(result.candidates[0].test.metadata.ns, "team");
  ASSERT_EQ(result.candidates[0].problems.size(), 1U);
  EXPECT_EQ(result.candidates[0].problems[0].path, "metadata.namespace");
  EXPECT_EQ(result.candidates[0].problems[0].message,
            "found \"other\", but the file lies in folder \"team\", whose tests are in namespace "
            "\"team\": leave it out or move the file");
  EXPECT_EQ(ingest(yaml_of("a, namespace: other"), "").candidates.at(0).test.metadata.ns, "other");
}

TEST(Ingest, OtherKindsAreNoneOfOurBusiness) {
  const auto result =
      ingest("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n" + yaml_of("a"), "");
  EXPECT_FALSE(result.broken);
  EXPECT_TRUE(result.messages.empty());
  EXPECT_EQ(result.candidates.size(), 1U);
}

TEST(Ingest, WhatIsHalfWrittenChangesNothing) {
  EXPECT_TRUE(ingest("", "").broken);
  EXPECT_TRUE(ingest("# nothing\n", "").broken);
  EXPECT_TRUE(ingest(yaml_of("a") + "---\nkind: [", "").broken) << "not even the first is taken";
  const auto nul = ingest(std::string("a: 1\nb: \0\n", 10), "");
  EXPECT_TRUE(nul.broken);
  EXPECT_EQ(nul.messages.at(0), "line 2: holds a NUL byte or what is not UTF-8");
}

TEST(Ingest, ADocumentWithoutAUsableNameIsReportedWithItsLine) {
  const auto result = ingest(yaml_of("a") + "---\n" + yaml_of("\"../../etc/passwd\""), "");
  EXPECT_FALSE(result.broken);
  EXPECT_EQ(result.candidates.size(), 1U);
  ASSERT_EQ(result.messages.size(), 1U);
  EXPECT_NE(result.messages[0].find("\"../../etc/passwd\" is no valid name"), std::string::npos)
      << result.messages[0];
}

}  // namespace
}  // namespace atq::stores::directory
