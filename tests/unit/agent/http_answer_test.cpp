#include "src/agent/http_answer.hpp"

#include <random>

#include <gtest/gtest.h>

namespace atq::agent {
namespace {

HttpAnswer answer_of(std::string_view text, size_t piece = std::string_view::npos) {
  HttpAnswer answer;
  for (size_t at = 0; at < text.size(); at += std::min(piece, text.size())) {
    answer.feed(text.substr(at, piece));
  }
  answer.end_of_stream();
  return answer;
}

TEST(HttpAnswer, ReadsInAnyPieces) {
  const std::string_view text =
      "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\nhellojunk";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    const HttpAnswer answer = answer_of(text, piece);
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.body(), "hello");
    EXPECT_EQ(answer.problem(), "");
    EXPECT_TRUE(answer.done());
  }
}

TEST(HttpAnswer, PutsChunksTogetherInAnyPieces) {
  const std::string_view text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 99\r\n\r\n"
      "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\n";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    const HttpAnswer answer = answer_of(text, piece);
    EXPECT_EQ(answer.body(), "abc0123456789") << piece;
    EXPECT_EQ(answer.problem(), "");
  }
}

TEST(HttpAnswer, WithoutALengthTheEndOfTheStreamEndsTheBody) {
  HttpAnswer answer;
  answer.feed("HTTP/1.0 200 OK\n\nabc");
  EXPECT_FALSE(answer.done());
  EXPECT_EQ(answer.status(), 200);
  answer.end_of_stream();
  EXPECT_TRUE(answer.done());
  EXPECT_EQ(answer.body(), "abc");
}

TEST(HttpAnswer, WhatHasNoBodyIsDoneWithItsHead) {
  HttpAnswer answer;
  answer.feed("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(answer.done());
  answer = {};
  answer.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(answer.done());
}

TEST(HttpAnswer, ProblemsAreNamed) {
  EXPECT_EQ(answer_of("").problem(), "closed without an answer");
  EXPECT_EQ(answer_of("SSH-2.0\r\n").problem(), "not HTTP: \"SSH-2.0\"");
  EXPECT_EQ(answer_of("HTT").problem(), "closed within the head");
  EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nX").problem(), "closed within the head");
  EXPECT_EQ(answer_of("HTTP/2 200 OK\r\n\r\n").problem(), "not HTTP/1.x: \"HTTP/2 200 OK\"");
  EXPECT_EQ(answer_of("HTTP/1.1 abc\r\n\r\n").problem(), "not HTTP/1.x: \"HTTP/1.1 abc\"");
  EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").problem(),
            "closed within the body");
  EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n").problem(),
            "content-length is no number: \"-5\"");
  EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n").problem(),
            "a chunk without a size: \"xyz\"");
  EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab").problem(),
            "closed within the body");
}

TEST(HttpAnswer, HeadsAndBodiesAreBounded) {
  HttpAnswer answer;
  answer.feed("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 10'000 && !answer.done(); ++i) answer.feed("X-Filler: 0123456789\r\n");
  EXPECT_EQ(answer.problem(), "the head is larger than 16384 bytes");

  answer = {};
  answer.feed("HTTP/1.1 200 OK\r\n\r\n");
  for (int i = 0; i < 100 && !answer.done(); ++i) answer.feed(std::string(4096, 'x'));
  EXPECT_TRUE(answer.done());
  EXPECT_EQ(answer.problem(), "");
  EXPECT_EQ(answer.body().size(), HttpAnswer::kMaxBodyBytes);

  answer = {};
  answer.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  answer.feed(std::string(5000, '0'));
  EXPECT_EQ(answer.problem(), "a chunk without a size");
}

TEST(HttpAnswer, EndlessInterimAnswersAreBounded) {
  HttpAnswer answer;
  for (int i = 0; i < 10'000 && !answer.done(); ++i) answer.feed("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(answer.problem(), "the head is larger than 16384 bytes");
}

TEST(HttpAnswer, RandomBytesNeverBreakIt) {
  const unsigned seed = 20'261'121;
  std::mt19937 random(seed);
  const std::vector<std::string> parts{"HTTP/1.1 ",
                                       "200",
                                       " OK",
                                       "\r\n",
                                       "\n",
                                       "0",
                                       "fffffffffffffff0",
                                       ";",
                                       "Content-Length: ",
                                       "Transfer-Encoding: chunked",
                                       "\r\n\r\n",
                                       "x"};
  for (int round = 0; round < 20'000; ++round) {
    HttpAnswer answer;
    if (round % 2 == 0) answer.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; ++i) answer.feed(parts[random() % parts.size()]);
    answer.end_of_stream();
    EXPECT_TRUE(answer.done()) << "seed " << seed << " round " << round;
    EXPECT_LE(answer.body().size(), HttpAnswer::kMaxBodyBytes);
  }
}

}  // namespace
}  // namespace atq::agent
