// Text that wants to hurt: each must give a clear problem soon, in bounded memory.

#include <chrono>
#include <functional>
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "controller/api/codec.hpp"

namespace atq::api {
namespace {

std::string repeat(std::string_view text, size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::string lines(size_t count, const std::function<std::string(size_t)>& line) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += line(i) + "\n";
  return out;
}

std::string number(size_t value) { return std::to_string(value); }

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

struct Hostile {
  std::string name;
  std::string text;
  std::string expected;  ///< part of the last document's problems
};

std::vector<Hostile> nested() {
  constexpr size_t kDeep = 10'000;
  return {
      {"lists", "a: " + repeat("[", kDeep), "brackets without their ends"},
      {"maps", "a: " + repeat("{", kDeep), "brackets without their ends"},
      {"closed lists", "a: " + repeat("[", kDeep) + repeat("]", kDeep), "brackets"},
      {"maps in maps", "a: " + repeat("{a: ", kDeep), "brackets"},
      {"lists by line", "a:\n" + repeat("  [\n", kDeep), "brackets"},
      {"some lists", "a: " + repeat("[", 80) + repeat("]", 80), "nested deeper than 64"},
      {"block lists", repeat("- ", kDeep) + "x", "nested deeper than 64"},
      {"block keys", repeat("? ", kDeep) + "x", "as a key, expected a name"},
      {"block maps", lines(1200, [](size_t i) { return std::string(i, ' ') + "a:"; }),
       "nested deeper than 64"},
      {"after a block scalar", "a: |\n  x\nb: " + repeat("[1,", kDeep), "brackets"},
      {"behind a false block scalar", "# a: |\n  " + repeat("[1,", kDeep), "brackets"},
  };
}

std::vector<Hostile> bombs() {
  const auto ninefold = [](size_t i) {
    if (i == 0) return std::string("a0: &a0 [x,x,x,x,x,x,x,x,x]");
    std::string refs = repeat("*a" + number(i - 1) + ",", 9);
    return "a" + number(i) + ": &a" + number(i) + " [" + refs + "]";
  };
  return {
      {"billion laughs", lines(30, ninefold), "after aliases are expanded"},
      {"long text", "a: &a \"" + repeat("x", 100'000) + "\"\nb: [" + repeat("*a,", 10'000) + "]",
       "bytes of text after aliases are expanded"},
      {"merges",
       "a: &a {" +
           [] {
             std::string keys;
             for (size_t i = 0; i < 5000; ++i) keys += "k" + number(i) + ": 1,";
             return keys;
           }() +
           "}\n" + lines(5000, [](size_t i) { return "b" + number(i) + ": {<<: *a}"; }),
       "after aliases are expanded"},
      {"anchors in anchors",
       lines(60, [](size_t i) { return std::string(i, ' ') + "a: &x" + number(i); }) +
           std::string(61, ' ') + "b: \"" + repeat("y", 1'000'000) + "\"",
       "after aliases are expanded"},
      {"itself", "a: &x [*x]", "alias to a value that contains it"},
      {"unknown", "a: *x", "anchor"},
      {"many items", "a: [" + repeat("1,", 200'000) + "]", "more than 100000 values"},
      {"many empty items", "a: [" + repeat(",", 400'000), "more than 100000 values"},
      {"many duplicates", repeat("a: 1\n", 200'000), "too many keys that stand twice"},
      {"many documents", repeat("--- 1\n", 200'000), "more than 1000 documents"},
  };
}

std::vector<Hostile> no_text() {
  using namespace std::string_literals;
  return {
      {"10 MB in one text", "a: " + repeat("x", 10'000'000),
       "found 10000003 bytes in one document"},
      {"10 MB of lines", repeat("a: 1\n", 2'000'000), "expected at most 1500000"},
      {"30 MB", repeat("---\na: 1\n", 4'000'000), "bytes in one stream"},
      {"NUL", "a: b\nc: \0d\n"s, "line 2, column 4: found a NUL sign"},
      {"escaped NUL", "a: \"\\0\"\n", "NUL sign"},
      {"binary", "\x7f"s + "ELF\x02\x01\x01\0\0"s, "line 1, column 1: found the control sign 0x7F"},
      {"escape sequence", "a: \x1b[31mred\n", "control sign 0x1B"},
      {"latin-1", "a: b\nname: caf\xe9\n", "line 2, column 1: found bytes that are not UTF-8"},
      {"half a sign", "a: \xf0\x9f\x98", "not UTF-8"},
      {"surrogate", "a: \xed\xa0\x80", "not UTF-8"},
      {"UTF-16", "\xff\xfe"s + "a\0:\0"s, "found UTF-16, expected UTF-8"},
      {"UTF-16 big end", "\xfe\xff\0a"s, "found UTF-16, expected UTF-8"},
  };
}

std::vector<Hostile> broken() {
  return {
      {"tab", "a:\n\t- b\n", "syntax"},
      {"open list", "a: [1, 2\n", "found no ']'"},
      {"open map", "a: {b: 1\n", "found no '}'"},
      {"open quote", "a: \"x", "inside a quoted text"},
      {"open quote and line", "a: \"x\n", "inside a quoted text"},
      {"open single quote", "a: 'it''s\n", "inside a quoted text"},
      {"comma first", ", c\n", "found a sign that starts no value"},
      {"two colons", "a: b: c\n", "found ':' where no value may stand"},
      {"bad indentation", "a:\n  b: 1\n c: 2\n", "check the indentation"},
      {"template", "a: {{ .Values.x }}\n", "quote it"},
      {"list as key", "? [a]\n: v\n", "found a list as a key"},
      {"null as key", "~: v\n", "found a key that is null"},
      {"infinite", "a: .inf\n", "found .inf, which JSON cannot hold"},
      {"wrong tag", "a: !!int x\n", "under !!int"},
      {"merge of a text", "a: {<<: b}\n", "merge key"},
      {"conflict marks", "<<<<<<< HEAD\na: 1\n=======\n", "syntax"},
  };
}

void expect_refused(const std::vector<Hostile>& cases) {
  for (const Hostile& hostile : cases) {
    const long before = peak_kib();
    const auto start = std::chrono::steady_clock::now();
    const auto documents = decode_yaml(hostile.text);
    const auto took = std::chrono::steady_clock::now() - start;
    ASSERT_FALSE(documents.empty()) << hostile.name;
    ASSERT_FALSE(documents.back().problems.empty()) << hostile.name;
    std::string said;
    for (const Problem& problem : documents.back().problems) {
      said += to_string(problem) + " (" + problem.rule + ")\n";
      EXPECT_LT(problem.message.size(), 1000U) << hostile.name;
    }
    EXPECT_NE(said.find(hostile.expected), std::string::npos) << hostile.name << ": " << said;
    // Far above what is measured (0.2 s, 20 MiB), as sanitizers and busy machines run this too.
    EXPECT_LT(took, std::chrono::seconds(20)) << hostile.name;
    EXPECT_LT(peak_kib() - before, 256 * 1024) << hostile.name;
  }
}

TEST(HostileYaml, NestedDeeply) { expect_refused(nested()); }
TEST(HostileYaml, ExpandingWithoutEnd) { expect_refused(bombs()); }
TEST(HostileYaml, NoTextOrTooMuch) { expect_refused(no_text()); }
TEST(HostileYaml, Broken) { expect_refused(broken()); }

TEST(HostileYaml, BracketsInTextAreNoNesting) {
  const auto documents = decode_yaml(
      "apiVersion: atq.dev/v1alpha1\nkind: LoadTest\nmetadata: {name: a}\n"
      "spec:\n  worker: {command: [a]}\n  files:\n  - inline:\n      data.txt: |\n" +
      repeat("        [{[\n", 2000));
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_EQ(to_string(documents[0].problems), "");
}

TEST(HostileJson, IsRefused) {
  using namespace std::string_literals;
  const std::vector<Hostile> cases = {
      {"nested", repeat("[", 100'000), "nested deeper than 64"},
      {"nested maps", repeat("{\"a\":", 100'000), "nested deeper than 64"},
      {"large", "\"" + repeat("x", 10'000'000) + "\"", "found 10000002 bytes"},
      {"many", "[" + repeat("1,", 200'000) + "1]", "more than 100000 values"},
      {"empty", "", "not valid JSON"},
      {"NUL", "{\"a\":\0}"s, "not valid JSON"},
      {"escaped NUL", R"({"a":"\u0000"})", "NUL sign"},
      {"not UTF-8", "{\"a\":\"\xff\"}", "not valid JSON"},
      {"half a surrogate", R"({"a":"\ud800"})", "not valid JSON"},
      {"cut off", R"({"metadata":{"name":"a)", "not valid JSON"},
      {"two", "{}{}", "not valid JSON"},
      {"huge number", "{\"a\":1e999}", "not valid JSON"},
      {"long unfinished text", "{\"a\":\"" + repeat("x", 1'000'000), "not valid JSON"},
  };
  for (const Hostile& hostile : cases) {
    const Document document = decode_json(hostile.text);
    ASSERT_FALSE(document.problems.empty()) << hostile.name;
    const std::string said = to_string(document.problems);
    EXPECT_NE(said.find(hostile.expected), std::string::npos) << hostile.name << ": " << said;
    EXPECT_LT(said.size(), 1000U) << hostile.name;
  }
}

}  // namespace
}  // namespace atq::api
