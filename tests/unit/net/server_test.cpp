#include "src/net/server.hpp"

#include <fstream>
#include <sys/stat.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "tests/unit/net/net_fixture.hpp"

namespace atq::net::test {
namespace {

using namespace std::chrono_literals;

const std::string kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

size_t count(const std::string& text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST(Server, AnswersAndKeepsTheConnection) {
  Service service(echo);
  const auto client = service.connect();
  for (int turn = 0; turn < 3; ++turn) {
    client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_NE(client.read("POST /a hi\n").find("200 OK"), std::string::npos);
  }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  Service service(echo);
  const auto client = service.connect();
  std::string all;
  for (int index = 0; index < 100; ++index) {
    all += "GET /" + std::to_string(index) + " HTTP/1.1\r\nHost: x\r\n" +
           (index == 99 ? "Connection: close\r\n\r\n" : "\r\n");
  }
  client.send(all);
  const std::string answers = client.read();
  size_t at = 0;
  for (int index = 0; index < 100; ++index) {
    at = answers.find("GET /" + std::to_string(index) + " \n", at);
    ASSERT_NE(at, std::string::npos) << index;
  }
}

TEST(Server, TakesARequestByteByByte) {
  Service service(echo);
  const auto client = service.connect();
  for (const char byte : kGet) {
    client.send(std::string_view(&byte, 1));
  }
  EXPECT_NE(client.read("GET /a").find("200 OK"), std::string::npos);
}

TEST(Server, TellsTheClientToContinue) {
  Service service(echo);
  const auto client = service.connect();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  EXPECT_NE(client.read("POST / hi").find("200 OK"), std::string::npos);
}

TEST(Server, RefusesOversizedAndBrokenRequests) {
  Service service(echo);
  const std::map<std::string, std::string> cases{
      {"GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(20'000, 'a'), "431 Request Header"},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n", "413 Payload"},
      {"\x16\x03\x01 garbage\r\n\r\n", "400 Bad Request"},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" +
           std::string(40'000, 'a'),
       "400 Bad Request"},
  };
  for (const auto& [request, answer] : cases) {
    const auto client = service.connect();
    client.send(request);
    const std::string got = client.read();
    EXPECT_NE(got.find(answer), std::string::npos) << got << request.substr(0, 60);
    EXPECT_NE(got.find("Connection: close"), std::string::npos);
  }
}

TEST(Server, CutsAnEndlessHeader) {
  Service service(echo);
  const auto client = service.connect();
  client.send("GET / HTTP/1.1\r\nHost: x\r\n");
  size_t sent = 0;
  while (sent < (64 << 20) && client.send("Header-Of-No-End: 1\r\n")) {
    sent += 21;
  }
  EXPECT_LT(sent, 4U << 20);
  EXPECT_TRUE(eventually([&] { return service.connections() == 0; }));
}

TEST(Server, SaysWhatIsWrongWithHalfARequest) {
  Service service(echo);
  const auto client = service.connect();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhi");
  client.shut();
  EXPECT_NE(client.read().find("ended in the middle"), std::string::npos);
}

TEST(Server, DropsSlowHeadersSlowBodiesAndIdlers) {
  ServerOptions options;
  options.header_timeout = 50ms;
  options.body_timeout = 50ms;
  options.idle_timeout = 50ms;
  Service service(echo, options);
  for (const std::string& start :
       {std::string(), std::string("GET / HT"),
        std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhi")}) {
    const auto client = service.connect();
    client.send(start);
    EXPECT_EQ(client.read(), "") << start;
  }
  EXPECT_TRUE(eventually([&] { return service.connections() == 0; }));
}

TEST(Server, TricklingDoesNotPutOffTheDeadline) {
  ServerOptions options;
  options.header_timeout = 100ms;
  Service service(echo, options);
  const auto client = service.connect();
  const auto start = std::chrono::steady_clock::now();
  client.send("GET / HTTP/1.1\r\n");
  while (client.send("a: b\r\n") && std::chrono::steady_clock::now() - start < 10s) {
    std::this_thread::sleep_for(20ms);  // the slow client itself
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(Server, TellsTheSurplusOf300ConnectionsToGoAway) {
  Service service(echo);
  std::vector<RawClient> clients;
  for (int index = 0; index < 300; ++index) {
    clients.push_back(service.connect());
    ASSERT_TRUE(clients.back().connected()) << index;
  }
  EXPECT_TRUE(eventually([&] { return service.connections() == 256; }));
  for (int index = 256; index < 300; ++index) {
    clients[static_cast<size_t>(index)].send(kGet);
    EXPECT_NE(clients[static_cast<size_t>(index)].read().find("503 Service"), std::string::npos);
  }
  clients[0].close();
  EXPECT_TRUE(eventually([&] { return service.connections() == 255; }));
  const auto late = service.connect();
  late.send(kGet);
  EXPECT_NE(late.read("GET /a").find("200 OK"), std::string::npos);
}

Task<Response> stream_three(Request, BodyWriter& writer) {
  for (const auto* piece : {"one\n", "two\n", "three\n"}) {
    const bool more = co_await writer.write(piece);
    if (!more) {
      break;
    }
  }
  co_return Response();
}

TEST(Server, StreamsInChunks) {
  Service service(stream_three);
  const auto client = service.connect();
  client.send(kGet);
  EXPECT_NE(
      client.read().find("chunked\r\nConnection: close\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n6\r\n"
                         "three\n\r\n0\r\n\r\n"),
      std::string::npos);
}

TEST(Server, StreamsToHttp10WithoutChunks) {
  Service service(stream_three);
  const auto client = service.connect();
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(client.read().ends_with("\r\n\r\none\ntwo\nthree\n"));
}

TEST(Server, CutsAStreamThatFails) {
  Service service([](Request, BodyWriter& writer) -> Task<Response> {
    const bool sent = co_await writer.write("half");
    static_cast<void>(sent);
    co_return Response{.status = 500};
  });
  const auto client = service.connect();
  client.send(kGet);
  EXPECT_TRUE(client.read().ends_with("4\r\nhalf\r\n"));
}

/// Streams one line, then waits until it is told that the client is gone.
Task<Response> wait_for_close(Request, BodyWriter& writer) {
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer closed(executor, boost::asio::steady_timer::time_point::max());
  writer.on_close([&] { closed.cancel(); });
  const bool sent = co_await writer.write("line\n");
  if (!sent) {
    co_return Response();
  }
  boost::system::error_code ignored;
  co_await closed.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  co_return Response();
}

TEST(Server, TellsAHandlerThatItsClientIsGone) {
  Service service(wait_for_close);
  auto client = service.connect();
  client.send(kGet);
  client.read("line");
  EXPECT_EQ(service.connections(), 1U);
  client.close();
  EXPECT_TRUE(eventually([&] { return service.connections() == 0; }));
}

TEST(Server, StopEndsStreamsAndIdlersAndWaits) {
  Service service(wait_for_close);
  const auto idle = service.connect();
  const auto client = service.connect();
  client.send(kGet);
  client.read("line");
  service.stop(10s);
  EXPECT_EQ(service.connections(), 0U);
  EXPECT_EQ(idle.read(), "");
  EXPECT_FALSE(std::filesystem::exists(service.path()));
  EXPECT_FALSE(service.connect().connected());
}

TEST(Server, StopLetsARequestUnderWayEnd) {
  std::promise<void> entered;
  boost::asio::steady_timer* gate = nullptr;
  Service service([&](Request, BodyWriter&) -> Task<Response> {
    const auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer(executor, boost::asio::steady_timer::time_point::max());
    gate = &timer;
    entered.set_value();
    boost::system::error_code ignored;
    co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    co_return Response{.body = "done"};
  });
  const auto client = service.connect();
  client.send(kGet);
  entered.get_future().wait();
  auto stopping = std::async(std::launch::async, [&] { service.stop(20s); });
  EXPECT_TRUE(eventually([&] { return !service.connect().connected(); }));
  service.loop().call([&] { return gate->cancel(); });
  EXPECT_TRUE(client.read().ends_with("Connection: close\r\n\r\ndone"));
  stopping.get();
}

TEST(Server, AnExceptionIsA500AndReported) {
  ServerOptions options;
  std::promise<std::string> reported;
  options.on_error = [&](const std::string& message) { reported.set_value(message); };
  Service service(
      [](const Request&, BodyWriter&) -> Task<Response> { throw std::runtime_error("boom"); },
      options);
  const auto client = service.connect();
  client.send(kGet);
  const std::string answer = client.read("internal error");
  EXPECT_NE(answer.find("500 Internal"), std::string::npos);
  EXPECT_EQ(answer.find("boom"), std::string::npos);
  EXPECT_EQ(reported.get_future().get(), "handler of GET /a: boom");
}

TEST(Server, HeadHasNoBody) {
  Service service(echo);
  const auto client = service.connect();
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.read();
  EXPECT_NE(answer.find("Content-Length: 9"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
  EXPECT_EQ(count(answer, "HTTP/1.1"), 1U);
}

TEST(Server, SocketIsPrivateReplacedWhenStaleAndNeverStolen) {
  Folder folder;
  Loop loop;
  const auto path = folder / "a.sock";
  const auto listen = [&](Server& server) {
    return loop.call([&] { return server.listen_unix(path); });
  };
  {
    Server server(loop.context().get_executor(), echo);
    ASSERT_TRUE(listen(server));
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    Server second(loop.context().get_executor(), echo);
    const auto refused = listen(second);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::Conflict);
    loop.run(server.stop(0ms));
  }
  // Bound and then abandoned, as by kill -9.
  const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(stale);
  Server third(loop.context().get_executor(), echo);
  EXPECT_TRUE(listen(third));
  loop.run(third.stop(0ms));

  std::ofstream(path) << "a file";
  Server fourth(loop.context().get_executor(), echo);
  const auto refused = listen(fourth);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("is no socket"), std::string::npos);
}

TEST(Server, ReportsAPortThatIsTaken) {
  Loop loop;
  Server server(loop.context().get_executor(), echo);
  const auto port = loop.call([&] { return server.listen_tcp("127.0.0.1", 0); });
  ASSERT_TRUE(port);
  const auto again = loop.call([&] { return server.listen_tcp("127.0.0.1", *port); });
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("127.0.0.1:" + std::to_string(*port)), std::string::npos);
  EXPECT_FALSE(loop.call([&] { return server.listen_tcp("nowhere.invalid", 0); }));
  loop.run(server.stop(0ms));
}

}  // namespace
}  // namespace atq::net::test
