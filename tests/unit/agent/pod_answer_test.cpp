#include "src/agent/pod_answer.hpp"

#include <gtest/gtest.h>

#include "src/agent/protocol.hpp"

namespace atq::agent {
namespace {

HttpReply ask(const std::string& method, const std::string& path, const std::string& query,
              PodView view = {}, Result<int64_t> start = 42) {
  if (!view.start) view.start = [start] { return start; };
  return answer_pod_request({.method = method, .path = path, .query = query}, view);
}

TEST(AgentPodAnswer, ReadySaysWhatIsMissing) {
  EXPECT_EQ(ask("GET", "/ready", "").status, 200);
  EXPECT_EQ(ask("HEAD", "/ready", "x").status, 200);
  const auto missing = ask("GET", "/ready", "", {.not_ready = "tcp 10.0.0.7:1099 refused"});
  EXPECT_EQ(missing.status, 503);
  EXPECT_EQ(missing.body, "tcp 10.0.0.7:1099 refused\n");
  EXPECT_EQ(ask("POST", "/ready", "").status, 405);
  EXPECT_EQ(ask("GET", "/readyz", "").status, 404);
}

TEST(AgentPodAnswer, OnlyTheRunsOwnTokenStarts) {
  int starts = 0;
  const PodView view{.start_token = "run 4&",
                     .start = [&]() -> Result<int64_t> { return ++starts, int64_t{42}; }};
  EXPECT_EQ(ask("GET", "/start", "token=run%204%26", view).status, 405);
  EXPECT_EQ(ask("POST", "/start", "", view).status, 403);
  EXPECT_EQ(ask("POST", "/start", "token=run", view).status, 403);
  EXPECT_EQ(ask("POST", "/start", "xtoken=run%204%26", view).status, 403);
  EXPECT_EQ(starts, 0);
  const auto started = ask("POST", "/start", "a=b&token=run%204%26", view);
  EXPECT_EQ(started.status, 200);
  EXPECT_EQ(decode_start_answer(started.body), StartAnswer{42});
  EXPECT_EQ(starts, 1);
}

TEST(AgentPodAnswer, AnEmptyTokenNeverStarts) {
  EXPECT_EQ(ask("POST", "/start", "token=").status, 409);
  EXPECT_EQ(ask("POST", "/start", "").status, 409);
}

TEST(AgentPodAnswer, WhatCannotStartSaysWhy) {
  const auto reply = ask("POST", "/start", "token=4", {.start_token = "4"},
                         fail(ErrorKind::Unavailable, "k6: not found in PATH (/bin)"));
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body, "k6: not found in PATH (/bin)\n");
}

}  // namespace
}  // namespace atq::agent
