#include "src/agent/http_request.hpp"

#include <random>

#include <gtest/gtest.h>

namespace atq::agent {
namespace {

int refused(std::string_view text) {
  const auto read = read_request(text);
  return read.refusal ? read.refusal->status : 0;
}

TEST(HttpRequest, IsReadOnceItsHeadIsWhole) {
  const std::string text = "GET /start?token=a%20b&c HTTP/1.1\r\nHost: x\r\n\r\n";
  for (size_t length = 0; length < text.size(); ++length) {
    const auto read = read_request(text.substr(0, length));
    EXPECT_FALSE(read.request || read.refusal) << length;
  }
  const auto read = read_request(text + "body");
  ASSERT_TRUE(read.request);
  EXPECT_EQ(read.request->method, "GET");
  EXPECT_EQ(read.request->path, "/start");
  EXPECT_EQ(read.request->query, "token=a%20b&c");
  EXPECT_EQ(read.request->query_value("token"), "a b");
  EXPECT_EQ(read.request->query_value("c"), "");
  EXPECT_EQ(read_request("GET / HTTP/1.0\n\n").request->path, "/");
}

TEST(HttpRequest, JunkIsRefused) {
  for (const char* text :
       {"\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/2\r\n\r\n",
        "GET x HTTP/1.1\r\n\r\n", " / HTTP/1.1\r\n\r\n", "GET /\x01 HTTP/1.1\r\n\r\n",
        "G\tT / HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"}) {
    EXPECT_EQ(refused(text), 400) << text;
  }
  EXPECT_EQ(refused(std::string(kMaxRequestHead + 1, 'a')), 431);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nX: " + std::string(kMaxRequestHead, 'a') + "\r\n\r\n"), 431);
  EXPECT_EQ(refused(std::string(kMaxRequestHead, 'a')), 0);
}

TEST(HttpRequest, RandomBytesDoNoHarm) {
  std::mt19937 random(7);
  const std::string_view signs = "GET POST / ? % HTTP/1.1 \r\n\r\n a=&";
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (size_t i = random() % 40; i > 0; --i) text += signs[random() % signs.size()];
    const auto read = read_request(text);
    EXPECT_FALSE(read.request && read.refusal);
    if (read.request) read.request->query_value("a");
  }
}

TEST(HttpRequest, PercentEscapes) {
  const std::string all = "a b/\xff%&=+~";
  EXPECT_EQ(percent_encode(all), "a%20b%2F%FF%25%26%3D%2B~");
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_decode("%"), "%");
  EXPECT_EQ(percent_decode("%4"), "%4");
  EXPECT_EQ(percent_decode("%zz%41"), "%zzA");
  EXPECT_EQ(percent_decode("%41"), "A");
}

TEST(HttpReply, IsWholeAndClosesTheConnection) {
  EXPECT_EQ(to_bytes({.status = 503, .body = "x\n"}, false),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 2\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nx\n");
  EXPECT_TRUE(to_bytes({.status = 200, .body = "x\n"}, true).ends_with("close\r\n\r\n"));
}

}  // namespace
}  // namespace atq::agent
