#include "src/agent/expectation.hpp"

#include <gtest/gtest.h>

namespace atq::agent {
namespace {

Check check_of(const ProbeTarget& target) { return prepare_check(target).value(); }

TEST(Expectation, HttpStatus) {
  const Check any = check_of({.kind = "http"});
  EXPECT_EQ(judge_http(any, 200, ""), "");
  EXPECT_EQ(judge_http(any, 399, ""), "");
  EXPECT_EQ(judge_http(any, 400, ""), "http 400, expected 200 to 399");
  EXPECT_EQ(judge_http(any, 101, ""), "http 101, expected 200 to 399");
  const Check exact = check_of({.kind = "http", .status = 200});
  EXPECT_EQ(judge_http(exact, 200, ""), "");
  EXPECT_EQ(judge_http(exact, 503, ""), "http 503, expected 200");
}

TEST(Expectation, HttpBody) {
  const Check check = check_of({.kind = "http", .expect = "rea.y"});
  EXPECT_EQ(judge_http(check, 200, "not\nready\n"), "");
  EXPECT_EQ(judge_http(check, 200, "starting\n"),
            "http 200, but the body does not match /rea.y/: starting");
  EXPECT_EQ(judge_http(check, 200, ""), "http 200, but the body does not match /rea.y/: (empty)");
}

TEST(Expectation, UdpAnswer) {
  EXPECT_EQ(judge_udp(check_of({.kind = "udp"}), "anything"), "");
  EXPECT_EQ(judge_udp(check_of({.kind = "udp", .expect = "^pong$"}), "pong"), "");
  EXPECT_EQ(judge_udp(check_of({.kind = "udp", .expect = "^pong$"}), "ping"),
            "the answer does not match /^pong$/: ping");
}

TEST(Expectation, ExecOutcome) {
  const Check check = check_of({.kind = "exec", .expect = "ok", .command = {"x"}, .exit_code = 3});
  EXPECT_EQ(judge_exec(check, 3, 0, "all ok\n"), "");
  EXPECT_EQ(judge_exec(check, 0, 0, "one\ntwo\n\n"), "exit code 0, expected 3: two");
  EXPECT_EQ(judge_exec(check, 1, 0, ""), "exit code 1, expected 3");
  EXPECT_EQ(judge_exec(check, 3, 0, "no\n"), "the output does not match /ok/: no");
  EXPECT_EQ(judge_exec(check, 0, 11, "x"), "killed by signal 11 (Segmentation fault): x");
}

TEST(Expectation, BadPatternsNameTheCheck) {
  const auto check = prepare_check({.name = "warm", .expect = "a("});
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error().kind, ErrorKind::Invalid);
  EXPECT_TRUE(check.error().message.starts_with("check warm: \"a(\" is no regular expression"));
  EXPECT_FALSE(prepare_check({.name = "x", .expect = std::string(100'000, '(')}));
}

TEST(Expectation, JunkIsShownPrintableAndBounded) {
  EXPECT_EQ(last_line("a\x01\n"), "a\xEF\xBF\xBD");
  EXPECT_LE(last_line(std::string(100'000, 'x')).size(), 200U);
}

TEST(Expectation, TargetsAreDescribed) {
  EXPECT_EQ(describe({.kind = "tcp", .host = "127.0.0.1", .port = 9}), "tcp 127.0.0.1:9");
  EXPECT_EQ(describe({.kind = "udp", .host = "::1", .port = 9}), "udp [::1]:9");
  EXPECT_EQ(describe({.kind = "exec", .command = {"sh", "-c"}}), "exec sh");
}

}  // namespace
}  // namespace atq::agent
