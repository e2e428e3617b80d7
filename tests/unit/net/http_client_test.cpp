#include "src/net/http_client.hpp"

#include <gtest/gtest.h>

#include "tests/unit/net/client_under_test.hpp"

namespace atq::net::test {
namespace {

using namespace std::chrono_literals;

/// Plain and with TLS: both must do the same.
class HttpClientTest : public testing::TestWithParam<bool> {
 protected:
  static std::optional<ServerTls> tls() {
    return GetParam() ? std::optional(test_tls()) : std::nullopt;
  }
};
INSTANTIATE_TEST_SUITE_P(Both, HttpClientTest, testing::Bool(),
                         [](const auto& which) { return which.param ? "Tls" : "Plain"; });

TEST_P(HttpClientTest, KeepsAConnection) {
  ScriptedServer server(always(std::string(kOk)), tls());
  ClientUnderTest client(server, GetParam());
  for (int count = 0; count < 50; ++count) {
    const auto answer = client.fetch(count % 2 == 0 ? get() : Request{"POST", "/b", {}, "text"});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "ok");
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(client.idle(), 1U);
}

TEST_P(HttpClientTest, OpensAsManyAsAreUsedAtOnceAndKeepsAFew) {
  ScriptedServer server(always(std::string(kOk)), tls());
  ClientUnderTest client(server, GetParam(), {.max_idle = 3});
  std::vector<std::future<Result<Answer>>> all;
  for (int count = 0; count < 10; ++count) {
    all.push_back(client.start());
  }
  for (auto& one : all) {
    EXPECT_TRUE(one.get());
  }
  EXPECT_LE(client.idle(), 3U);
  EXPECT_TRUE(eventually([&] { return server.open() <= 3; }));
}

TEST_P(HttpClientTest, NoticesThatAKeptConnectionIsClosed) {
  ScriptedServer server(once(std::string(kOk)), tls());
  ClientUnderTest client(server, GetParam());
  for (int count = 1; count <= 5; ++count) {
    const auto answer = client.fetch({.method = "POST", .target = "/"});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(eventually([&] { return client.idle() == 0; }));  // without being asked
    EXPECT_EQ(server.connections(), count);
  }
}

TEST_P(HttpClientTest, ClosesAConnectionThatNobodyUses) {
  ScriptedServer server(always(std::string(kOk)), tls());
  ClientUnderTest client(server, GetParam(), {.keep_idle_for = 20ms});
  ASSERT_TRUE(client.fetch());
  EXPECT_TRUE(eventually([&] { return client.idle() == 0 && server.open() == 0; }));
  ASSERT_TRUE(client.fetch());
  EXPECT_EQ(server.connections(), 2);
}

/// Answers the first request of the first connection, reads the second and then does `last`; later
/// connections get `later`.
Script dies_on_the_second(Script last, Script later) {
  return [last = std::move(last), later = std::move(later),
          first = std::make_shared<std::atomic<bool>>(true)](Peer& peer) {
    if (!first->exchange(false)) {
      later(peer);
      return;
    }
    peer.read_request();
    peer.send(kOk);
    peer.read_request();
    last(peer);
  };
}

TEST_P(HttpClientTest, RepeatsOnceWhatMayBeRepeated) {
  const Script close = [](Peer&) {};
  const Script end = [](Peer& peer) { peer.end(); };
  const Script reset = [](Peer& peer) { peer.reset(); };
  for (const Script& last : {close, end, reset}) {
    for (const auto* method : {"GET", "HEAD", "PUT", "PATCH", "DELETE"}) {
      ScriptedServer server(dies_on_the_second(last, always("HTTP/1.1 204 No Content\r\n\r\n")),
                            tls());
      ClientUnderTest client(server, GetParam());
      ASSERT_TRUE(client.fetch());
      const auto answer = client.fetch({.method = method, .target = "/"});
      ASSERT_TRUE(answer) << method << answer.error().message;
      EXPECT_EQ(answer->status, 204);
      EXPECT_EQ(server.connections(), 2);
    }
    ScriptedServer server(dies_on_the_second(last, always(std::string(kOk))), tls());
    ClientUnderTest client(server, GetParam());
    ASSERT_TRUE(client.fetch());
    expect_error(client.fetch({.method = "POST", .target = "/"}), ErrorKind::Unavailable);
    EXPECT_EQ(server.connections(), 1);
  }
  ScriptedServer server(dies_on_the_second(close, close), tls());
  ClientUnderTest client(server, GetParam());
  ASSERT_TRUE(client.fetch());
  expect_error(client.fetch(), ErrorKind::Unavailable);
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(HttpClientTest, DoesNotRepeatWhatMayNotBeSentAnyMore) {
  const Script close = [](Peer&) {};
  ScriptedServer server(dies_on_the_second(close, always(std::string(kOk))), tls());
  ClientUnderTest client(server, GetParam());
  ASSERT_TRUE(client.fetch());
  int asked = 0;
  const ClientOptions options{.may_send = [&asked] { return ++asked == 1; }};
  expect_error(client.fetch({.method = "PATCH", .target = "/"}, options), ErrorKind::Canceled);
  EXPECT_EQ(asked, 2);
  EXPECT_TRUE(client.fetch()) << "what was opened for it is of use";
  // With TLS 1.3 session tickets may come before a word was sent on it: an idle connection with
  // something to read is not used again.
  EXPECT_LE(server.connections(), GetParam() ? 3 : 2);
}

TEST_P(HttpClientTest, DoesNotRepeatWhatHasBegunToBeAnswered) {
  const Script half = [](Peer& peer) { peer.send("HTTP/1.1 200 O"); };
  ScriptedServer server(dies_on_the_second(half, always(std::string(kOk))), tls());
  ClientUnderTest client(server, GetParam());
  ASSERT_TRUE(client.fetch());
  expect_error(client.fetch(), ErrorKind::Unavailable);
  EXPECT_EQ(server.connections(), 1);
}

TEST_P(HttpClientTest, DoesNotKeepAConnectionThatMayNotBe) {
  for (const std::string answer :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
        "\r\nevil"}) {
    ScriptedServer server(always(answer), tls());
    ClientUnderTest client(server, GetParam());
    for (int count = 1; count <= 3; ++count) {
      const auto got = client.fetch();
      ASSERT_TRUE(got) << got.error().message;
      EXPECT_EQ(got->body, "ok");
      EXPECT_EQ(client.idle(), 0U) << answer;
    }
    EXPECT_EQ(server.connections(), 3);
  }
}

TEST_P(HttpClientTest, ReadsAnAnswerThatIsCutAnywhere) {
  const std::string interim =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
  for (const std::string& whole : {interim + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                             "3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: t\r\n\r\n",
                                   interim + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"}) {
    std::atomic<size_t> cut = 0;
    ScriptedServer server(
        [&](Peer& peer) {
          while (!peer.read_request().empty()) {
            const size_t at = cut;  // which moves on as soon as the answer is whole
            if (!peer.send(whole.substr(0, at)) || !peer.send(whole.substr(at))) return;
          }
        },
        tls());
    ClientUnderTest client(server, GetParam());
    for (; cut <= whole.size(); ++cut) {
      const auto answer = client.fetch();
      ASSERT_TRUE(answer) << cut << ": " << answer.error().message;
      ASSERT_EQ(answer->status, 200);
      ASSERT_EQ(answer->body, "abcd") << cut;
    }
    EXPECT_EQ(server.connections(), 1);
  }
}

TEST_P(HttpClientTest, RefusesWhatHasNoEnd) {
  struct Case {
    std::string head, filler;
    std::string_view words;
  };
  for (const Case& one :
       {Case{"HTTP/1.1 200 OK\r\nX: ", std::string(1000, 'x'), "header is larger than 65536"},
        Case{"HTTP/1.1 200 OK\r\n", "X: 1\r\n", "header is larger than 65536"},
        Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", std::string(1000, 'x'),
             "does not end"},
        Case{"", "HTTP/1.1 102 Processing\r\n\r\n", "interim answers without an end"},
        Case{"HTTP/1.1 200 OK\r\n\r\n", std::string(1000, 'x'), "larger than 100000 bytes"}}) {
    ScriptedServer server(
        [&](Peer& peer) {
          peer.read_request();
          for (bool more = peer.send(one.head); more;) {
            more = peer.send(one.filler);
          }
        },
        tls());
    ClientUnderTest client(server, GetParam());
    expect_error(client.fetch(get(), {.max_body_bytes = 100'000}), ErrorKind::Invalid, one.words);
  }
}

TEST_P(HttpClientTest, DoesNotWaitForADribble) {
  const auto dribble = [](std::string head, std::string filler) {
    return [=](Peer& peer) {
      peer.read_request();
      peer.send(head);
      while (peer.send(filler)) std::this_thread::sleep_for(2ms);
    };
  };
  ScriptedServer in_head(dribble("HTTP/1.1 200 OK\r\nX: ", "x"), tls());
  ClientUnderTest first(in_head, GetParam());
  expect_error(first.fetch(get(), {.answer_timeout = 100ms}), ErrorKind::Timeout,
               "read: no answer");
  ScriptedServer in_body(dribble("HTTP/1.1 200 OK\r\n\r\n", "x"), tls());
  ClientUnderTest second(in_body, GetParam());
  expect_error(second.fetch(get(), {.idle_timeout = 1s, .total_timeout = 150ms}),
               ErrorKind::Timeout);
  ScriptedServer stalls(
      [](Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12");
        peer.wait_for_end();
      },
      tls());
  ClientUnderTest third(stalls, GetParam());
  expect_error(third.fetch(get(), {.idle_timeout = 50ms}), ErrorKind::Timeout);
}

TEST_P(HttpClientTest, StreamsOnAConnectionOfItsOwn) {
  ScriptedServer server(
      [](Peer& peer) {
        while (!peer.read_request().empty()) {
          peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
          peer.send("3\r\ndef\r\n0\r\n\r\n");
        }
      },
      tls());
  ClientUnderTest client(server, GetParam());
  ASSERT_TRUE(client.fetch());
  std::string all;
  const auto answer = client.stream([&](std::string_view piece) {
    all += piece;
    return true;
  });
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(all, "abcdef");
  EXPECT_EQ(answer->body, "");
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(client.idle(), 1U);
  expect_error(client.stream([](std::string_view) { return false; }), ErrorKind::Canceled,
               "ended by the reader");
}

TEST_P(HttpClientTest, GivesTheBodyOfARefusedStream) {
  ScriptedServer server(always("HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\nlate"), tls());
  ClientUnderTest client(server, GetParam());
  const auto answer = client.stream([](std::string_view) {
    ADD_FAILURE();
    return true;
  });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 410);
  EXPECT_EQ(answer->body, "late");
}

TEST_P(HttpClientTest, GoesWhereItIsTold) {
  ScriptedServer old_one(always(std::string(kOk)), tls());
  ScriptedServer new_one(always("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"), tls());
  ClientUnderTest client(old_one, GetParam());
  ASSERT_TRUE(client.fetch());
  client.set_endpoint({.port = new_one.port(), .tls = GetParam() ? trusting() : nullptr});
  EXPECT_EQ(client.idle(), 0U);
  EXPECT_EQ(client.fetch()->body, "new");
  EXPECT_TRUE(eventually([&] { return old_one.open() == 0; }));
}

TEST_P(HttpClientTest, TheAnswerToAHeadRequestHasNoBody) {
  ScriptedServer server(always("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"), tls());
  ClientUnderTest client(server, GetParam());
  for (int count = 0; count < 3; ++count) {
    ASSERT_TRUE(client.fetch({.method = "HEAD", .target = "/"}));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_P(HttpClientTest, SendsAndReadsLargeBodies) {
  const std::string large(8 << 20, 'b');
  ScriptedServer server(
      [&](Peer& peer) {
        const bool same = peer.read_request().ends_with(large);
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(large.size()) +
                  "\r\n\r\n");
        peer.send(same ? large : std::string(large.size(), 'x'));
        peer.wait_for_end();
      },
      tls());
  ClientUnderTest client(server, GetParam());
  const auto answer = client.fetch({.method = "POST", .target = "/", .body = large});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_TRUE(answer->body == large);
}

TEST_P(HttpClientTest, AThousandRequestsLeakNoDescriptor) {
  ScriptedServer server(
      [](Peer& peer) {
        static std::atomic<int> number = 0;
        if (number++ % 3 != 0) always(std::string(kOk))(peer);
        peer.read_request();  // every third connection is given up without an answer
      },
      tls());
  ClientUnderTest client(server, GetParam());
  while (!client.fetch()) {  // the loop opens some of its own at its first use
  }
  const size_t before = open_descriptors();
  int good = 0;
  for (int count = 0; count < 1000; ++count) {
    const Request request{.method = "GET", .target = "/", .keep_alive = true};
    const auto answer = count % 5 == 0 ? client.stream([](std::string_view) { return true; })
                                       : client.fetch(request);
    good += answer ? 1 : 0;
  }
  EXPECT_GT(good, 800);
  client.stop();
  EXPECT_TRUE(eventually([&] { return server.open() == 0; }));
  EXPECT_LE(open_descriptors(), before);
}

TEST(HttpClient, DoesNotLetARequestForgeAnother) {
  ScriptedServer server(always(std::string(kOk)));
  ClientUnderTest client(server, false);
  for (const Request& request :
       {Request{"GET", "/a b"}, Request{"GET", "/\r\nX: y"}, Request{"G\nET", "/"},
        Request{"GET", ""}, Request{"GET", "/", {{"X: y\r\nZ", "1"}}}}) {
    expect_error(client.fetch(request), ErrorKind::Invalid);
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClient, SaysWhomItAsks) {
  std::string request;
  const auto remember = [&](Peer& peer) {
    request = peer.read_request();
    peer.send(kOk);
  };
  ScriptedServer server(remember);
  ClientUnderTest client(server, false);
  ASSERT_TRUE(client.fetch({.method = "PUT", .target = "/x", .headers = {{"A", "b\r\nC: d"}}}));
  EXPECT_EQ(request, "PUT /x HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                         "\r\nA: b  C: d\r\nContent-Length: 0\r\n\r\n");
  ScriptedServer six(remember, {}, "::1");
  if (!six.works()) {
    GTEST_SKIP() << "no IPv6 here";
  }
  ClientUnderTest other({.host = "::1", .port = six.port()});
  ASSERT_TRUE(other.fetch());
  EXPECT_NE(request.find("Host: [::1]:" + std::to_string(six.port()) + "\r\n"), std::string::npos);
}

}  // namespace
}  // namespace atq::net::test
