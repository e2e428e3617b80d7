#include "src/net/message_reader.hpp"

#include <gtest/gtest.h>

namespace atq::net {
namespace {

/// Feeds `text` in pieces of `step` bytes; the status of the refusal, 200 where it was read whole,
/// 0 where more is needed.
int outcome(std::string_view text, size_t step, MessageLimits limits = {}) {
  RequestReader reader(limits);
  std::string buffer;
  for (size_t at = 0; at < text.size(); at += step) {
    buffer += text.substr(at, step);
    std::expected<size_t, BadMessage> consumed = 1;
    while (*consumed > 0 && !buffer.empty() && !reader.done()) {
      consumed = reader.feed(buffer);
      if (!consumed) {
        return consumed.error().status;
      }
      buffer.erase(0, *consumed);
    }
    if (reader.done()) {
      return 200;
    }
  }
  return 0;
}

struct Case {
  std::string text;
  int status;
};

class Requests : public testing::TestWithParam<Case> {};

TEST_P(Requests, AreJudgedTheSameInAnyPieces) {
  for (const size_t step : {size_t{1}, size_t{3}, size_t{7}, size_t{1} << 20}) {
    EXPECT_EQ(outcome(GetParam().text, step), GetParam().status)
        << GetParam().text.substr(0, 200) << "\nin pieces of " << step;
  }
}

const std::string kHost = "Host: x\r\n";

INSTANTIATE_TEST_SUITE_P(
    Corpus, Requests,
    testing::Values(
        Case{"GET / HTTP/1.1\r\n" + kHost + "\r\n", 200}, Case{"GET / HTTP/1.0\r\n\r\n", 200},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 3\r\n\r\nabc", 200},
        Case{"POST / HTTP/1.1\r\n" + kHost +
                 "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
             200},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 4\r\n\r\nabc", 0},
        Case{"GET / HTTP/1.1\r\n" + kHost, 0}, Case{"GET / HTTP/1.1\r\n\r\n", 400},
        Case{"GET / HTTP/1.1\r\n" + kHost + kHost + "\r\n", 400},
        Case{"GET / HTTP/2.0\r\n" + kHost + "\r\n", 505}, Case{"\x16\x03\x01\x02\r\n\r\n", 400},
        Case{"GET  / HTTP/1.1\r\n\r\n", 400},
        Case{"GET / HTTP/1.1\r\n" + kHost + "a b: c\r\n\r\n", 400},
        Case{"GET / HTTP/1.1\r\n" + kHost + "a: \x01\r\n\r\n", 400},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
             400},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
             400},
        Case{"POST / HTTP/1.1\r\n" + kHost +
                 "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             400},
        Case{"POST / HTTP/1.1\r\n" + kHost +
                 "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
             400},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Content-Length: -1\r\n\r\n", 400},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 99999999999999999999\r\n\r\n", 400},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 1048577\r\n\r\n", 413},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: gzip\r\n\r\n", 501},
        Case{"POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        Case{"GET /" + std::string(9000, 'a'), 431},
        Case{"GET / HTTP/1.1\r\n" + kHost + "A: " + std::string(9000, 'a') + "\r\n\r\n", 431}));

TEST(RequestReader, BoundsAChunkedBody) {
  std::string text = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int chunk = 0; chunk < 20; ++chunk) {
    text += "a\r\n0123456789\r\n";
  }
  EXPECT_EQ(outcome(text + "0\r\n\r\n", 64, {.body_bytes = 200}), 200);
  EXPECT_EQ(outcome(text + "0\r\n\r\n", 64, {.body_bytes = 199}), 413);
}

TEST(RequestReader, LeavesTheNextRequestAlone) {
  const std::string one = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n";
  RequestReader reader({});
  size_t consumed = 0;
  while (!reader.done()) {
    const auto step = reader.feed((one + "GET /2").substr(consumed));
    ASSERT_TRUE(step);
    consumed += *step;
  }
  EXPECT_EQ(consumed, one.size());
  const Request request = reader.take();
  EXPECT_EQ(request.target, "/1");
  EXPECT_TRUE(request.keep_alive);
}

/// Feeds all of `text`; false where it is refused or needs more.
bool feed_all(ResponseReader& reader, std::string text) {
  while (!text.empty()) {
    const auto consumed = reader.feed(text);
    if (!consumed || *consumed == 0) {
      return false;
    }
    text.erase(0, *consumed);
  }
  return true;
}

TEST(ResponseReader, GivesTheBodyInPieces) {
  ResponseReader reader;
  ASSERT_TRUE(feed_all(reader, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
  EXPECT_TRUE(reader.header_done());
  ASSERT_TRUE(feed_all(reader, "3\r\nabc"));
  EXPECT_EQ(reader.take_body(), "abc");
  ASSERT_TRUE(feed_all(reader, "\r\n2\r\nde"));
  EXPECT_EQ(reader.take_body(), "de");
  EXPECT_FALSE(reader.end());
}

TEST(RequestReader, TheLastChunkMayComeByteByByte) {
  const std::string bytes =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  RequestReader reader(MessageLimits{});
  std::string held;
  for (const char byte : bytes) {
    held += byte;
    const auto fed = reader.feed(held);
    ASSERT_TRUE(fed) << fed.error().message;
    held.erase(0, *fed);
  }
  EXPECT_TRUE(reader.done());
}

TEST(ResponseReader, ABodyMayComeAfterItsHeader) {
  ResponseReader reader;
  const auto fed = reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
  ASSERT_TRUE(fed) << fed.error().message;
  ASSERT_TRUE(reader.feed("abc"));
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.take_body(), "abc");
}
TEST(ResponseReader, AClaimedLengthTakesNoMemory) {
  ResponseReader reader;
  const auto fed = reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 4000000000000000670\r\n\r\nabc");
  ASSERT_TRUE(fed) << fed.error().message;
  EXPECT_TRUE(reader.header_done());
  EXPECT_FALSE(reader.done());
  EXPECT_FALSE(reader.end());
}

TEST(ResponseReader, AConnectionThatEndsBeforeAnyByteIsAnError) {
  ResponseReader reader;
  const auto ended = reader.end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message, "connection ended before an answer");
}

TEST(ResponseReader, TakesABodyThatEndsWithTheConnection) {
  ResponseReader reader;
  ASSERT_TRUE(feed_all(reader, "HTTP/1.0 200 OK\r\n\r\nabc"));
  EXPECT_TRUE(reader.end());
  EXPECT_EQ(reader.take_body(), "abc");
}

}  // namespace
}  // namespace atq::net
