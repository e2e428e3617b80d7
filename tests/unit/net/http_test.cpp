#include "src/net/http.hpp"

#include <gtest/gtest.h>

namespace atq::net {
namespace {

TEST(Target, TakesPathAndQueryApart) {
  const auto target = parse_target("/v1/loadtests/a%20b/?tail=10&follow&x=a+b%26");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->segments, (std::vector<std::string>{"v1", "loadtests", "a b"}));
  EXPECT_EQ(target->query,
            (std::map<std::string, std::string>{{"tail", "10"}, {"follow", ""}, {"x", "a b&"}}));
  EXPECT_TRUE(parse_target("/")->segments.empty());
}

TEST(Target, RefusesWhatItCannotRead) {
  for (const auto* target : {"", "x", "http://host/", "/%", "/%4", "/%zz", "/%00", "/%ff",
                             "/?a=%ff", "/?a=1&a=2", "*"}) {
    EXPECT_FALSE(parse_target(target)) << target;
  }
}

TEST(Target, EncodedComponentComesBack) {
  const std::string odd = "a/b?c=d&e %+\xc3\xa4";
  const auto target = parse_target("/" + encode_component(odd) + "?q=" + encode_component(odd));
  ASSERT_TRUE(target);
  EXPECT_EQ(target->segments.at(0), odd);
  EXPECT_EQ(target->query.at("q"), odd);
}

TEST(Head, NoValueForgesAHeader) {
  const Response response{.status = 404, .headers = {{"X-A", "1\r\nX-B: 2"}}};
  EXPECT_EQ(encode_head(response, Framing::Length, 3, true),
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "X-A: 1  X-B: 2\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n");
}

TEST(Chunk, SizeIsHexadecimal) {
  EXPECT_EQ(encode_chunk(std::string(26, 'x')), "1a\r\n" + std::string(26, 'x') + "\r\n");
  EXPECT_EQ(encode_chunk(""), "");
}

TEST(Header, IsFoundWhateverItsCase) {
  const Headers headers{{"Content-Type", "a"}, {"content-type", "b"}};
  EXPECT_EQ(find_header(headers, "CONTENT-TYPE"), "a");
  EXPECT_EQ(find_header(headers, "Accept"), "");
}

}  // namespace
}  // namespace atq::net
