#include "src/net/client.hpp"

#include <netinet/in.h>

#include <gtest/gtest.h>

#include "tests/unit/net/net_fixture.hpp"

namespace atq::net::test {
namespace {

using namespace std::chrono_literals;

Request get(std::string target = "/a") { return {.method = "GET", .target = std::move(target)}; }

/// A server that reads a request and answers each connection with the same bytes, then closes, or
/// stays silent where there are none.
class Canned {
 public:
  explicit Canned(std::string bytes) : bytes_(std::move(bytes)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().string().copy(address.sun_path, sizeof address.sun_path - 1);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 5);
    thread_ = std::thread([this] { run(); });
  }
  ~Canned() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::filesystem::path path() const { return folder_ / "canned.sock"; }

 private:
  void run() {
    const int peer = ::accept(listener_, nullptr, nullptr);
    if (peer < 0) {
      return;
    }
    char request[4096];
    EXPECT_GT(::recv(peer, request, sizeof request, 0), 0);
    EXPECT_EQ(::send(peer, bytes_.data(), bytes_.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes_.size()));
    if (bytes_.empty()) {
      EXPECT_EQ(::recv(peer, request, sizeof request, 0), 0);  // until the client gives up
    }
    ::close(peer);
  }

  Folder folder_;
  std::string bytes_;
  int listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
  std::thread thread_;
};

Result<Answer> fetch_canned(std::string bytes, ClientOptions options = {}) {
  const Canned server(std::move(bytes));
  Loop loop;
  return loop.run(fetch({.socket = server.path()}, get(), options));
}

TEST(Client, FetchesOverUnixAndTcp) {
  Service service(echo);
  Loop loop;
  const auto port =
      service.loop().call([&] { return service.server().listen_tcp("127.0.0.1", 0); });
  ASSERT_TRUE(port);
  for (const Endpoint& endpoint :
       {Endpoint{.socket = service.path()}, Endpoint{.socket = {}, .port = *port}}) {
    Request request{.method = "POST", .target = "/x?y=1", .body = "text"};
    const auto answer = loop.run(fetch(endpoint, request));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "POST /x?y=1 text\n");
  }
}

TEST(Client, TellsThatNobodyListens) {
  Folder folder;
  Loop loop;
  const auto missing = loop.run(fetch({.socket = folder / "none.sock"}, get()));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::NotFound);

  Service service(echo);
  const auto port =
      service.loop().call([&] { return service.server().listen_tcp("127.0.0.1", 0); });
  ASSERT_TRUE(port);
  service.stop(0ms);
  const auto refused = loop.run(fetch({.socket = {}, .port = *port}, get()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::NotFound) << refused.error().message;
}

TEST(Client, GivesUpOnASilentServer) {
  const auto answer = fetch_canned("", {.answer_timeout = 50ms});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::Timeout);
}

TEST(Client, NoticesABodyThatBreaksOff) {
  for (const auto* bytes : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                            "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\n"}) {
    const auto answer = fetch_canned(bytes);
    ASSERT_FALSE(answer) << bytes;
    EXPECT_EQ(answer.error().kind, ErrorKind::Unavailable) << answer.error().message;
  }
}

TEST(Client, RefusesWhatIsNoHttpAndWhatIsTooLarge) {
  EXPECT_EQ(fetch_canned("SSH-2.0-OpenSSH\r\n\r\n").error().kind, ErrorKind::Invalid);
  EXPECT_EQ(fetch_canned("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", {.max_body_bytes = 4})
                .error()
                .kind,
            ErrorKind::Invalid);
}

TEST(Client, StreamsAndCanEndTheStream) {
  Service service([](Request, BodyWriter& writer) -> Task<Response> {
    for (int line = 0; line < 1000; ++line) {
      const std::string text = std::to_string(line) + "\n";
      const bool more = co_await writer.write(text);
      if (!more) {
        break;
      }
    }
    co_return Response();
  });
  Loop loop;
  std::string all;
  const auto whole = loop.run(stream({.socket = service.path()}, get(), [&](std::string_view part) {
    all += part;
    return true;
  }));
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_TRUE(all.starts_with("0\n1\n"));
  EXPECT_TRUE(all.ends_with("\n999\n"));
  const auto ended =
      loop.run(stream({.socket = service.path()}, get(), [](std::string_view) { return false; }));
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, ErrorKind::Canceled);
}

TEST(Client, AnErrorsBodyIsNotGivenToTheSink) {
  Service service([](Request, BodyWriter&) -> Task<Response> {
    co_return Response{.status = 404, .body = "no such thing"};
  });
  Loop loop;
  const auto answer = loop.run(stream({.socket = service.path()}, get(), [](std::string_view) {
    ADD_FAILURE();
    return true;
  }));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "no such thing");
}

TEST(Client, ReachesASocketOfALongPath) {
  Folder folder;
  const auto deep = folder / std::string(150, 'd');
  std::filesystem::create_directory(deep);
  Loop loop;
  Server server(loop.context().get_executor(), echo);
  ASSERT_TRUE(loop.call([&] { return server.listen_unix(deep / "atq.sock"); }));
  const auto answer = loop.run(fetch({.socket = deep / "atq.sock"}, get()));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  loop.run(server.stop(0ms));
}

}  // namespace
}  // namespace atq::net::test
