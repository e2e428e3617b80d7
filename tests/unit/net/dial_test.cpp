// How connections come about and end: names, addresses, stop() in each state.

#include <gtest/gtest.h>

#include "src/net/lookup.hpp"
#include "tests/unit/net/client_under_test.hpp"

namespace atq::net::test {
namespace {

using namespace std::chrono_literals;

/// A name server that answers when it is told to.
class Oracle {
 public:
  ~Oracle() { answer(); }
  FindAddresses find(Addresses addresses = {"127.0.0.1"}) const {
    return [state = state_, addresses](const std::string&) -> Result<Addresses> {
      ++state->asked;
      state->told.wait();
      --state->asked;
      return addresses;
    };
  }
  void answer() {
    if (!std::exchange(answered_, true)) state_->tell.set_value();
    EXPECT_TRUE(eventually([&] { return asked() == 0; }));
  }
  int asked() const { return state_->asked; }

 private:
  struct State {
    std::promise<void> tell;
    std::shared_future<void> told{tell.get_future()};
    std::atomic<int> asked = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
  bool answered_ = false;
};

PoolOptions finds(Addresses addresses) {
  return {
      .find_addresses = [addresses](const std::string&) { return Result<Addresses>(addresses); }};
}

TEST(Dial, FindsWhatTheSystemKnows) {
  const auto found = find_addresses("localhost");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_NE(std::ranges::find(*found, "127.0.0.1"), found->end());
  ScriptedServer server(always(std::string(kOk)));
  ClientUnderTest client({.host = "localhost", .port = server.port()});
  const auto answer = client.fetch();
  ASSERT_TRUE(answer) << answer.error().message;
}

TEST(Dial, SaysThatThereIsNoSuchHost) {
  const PoolOptions nobody{.find_addresses = [](const std::string& host) -> Result<Addresses> {
    return fail(ErrorKind::NotFound, "look up " + host + ": Name or service not known");
  }};
  ClientUnderTest client({.host = "no.such.host", .port = 1}, nobody);
  expect_error(client.fetch(), ErrorKind::NotFound, "no.such.host:1: look up no.such.host: Name");
  ClientUnderTest empty({.host = "some.host", .port = 1}, finds({}));
  expect_error(empty.fetch(), ErrorKind::NotFound, "no address");
}

TEST(Dial, RefusesWhatIsNoEndpoint) {
  for (const Endpoint& endpoint : {Endpoint{.host = "", .port = 1},
                                   Endpoint{.host = "a\r\nb", .port = 1}, Endpoint{.port = 0}}) {
    ClientUnderTest client(endpoint);
    expect_error(client.fetch(), ErrorKind::Invalid);
  }
}

TEST(Dial, TriesAllAddresses) {
  ScriptedServer server(always(std::string(kOk)));
  const Endpoint endpoint{.host = "two.homes", .port = server.port()};
  ClientUnderTest client(endpoint, finds({"::1", "127.0.0.2", "127.0.0.1"}));
  const auto answer = client.fetch();
  ASSERT_TRUE(answer) << answer.error().message;
  ClientUnderTest nowhere(endpoint, finds({"127.0.0.2", "127.0.0.3"}));
  expect_error(nowhere.fetch(), ErrorKind::NotFound,
               "connect to 127.0.0.2:" + std::to_string(server.port()) + ": Connection refused; " +
                   "connect to 127.0.0.3:");
}

TEST(Dial, DoesNotGiveAllItsTimeToASilentAddress) {
  ScriptedServer server(always(std::string(kOk)));
  const SilentListener silent("127.0.0.2", server.port());
  const Endpoint endpoint{.host = "two.homes", .port = server.port()};
  ClientUnderTest client(endpoint, finds({"127.0.0.2", "127.0.0.1"}));
  const auto answer = client.fetch(get(), {.connect_timeout = 400ms});
  ASSERT_TRUE(answer) << answer.error().message;
  ClientUnderTest other(endpoint, finds({"127.0.0.2", "127.0.0.3"}));
  expect_error(other.fetch(get(), {.connect_timeout = 100ms}), ErrorKind::Timeout,
               "no answer in time; connect to 127.0.0.3");
}

TEST(Dial, TheLookUpHasADeadline) {
  const Oracle oracle;
  ClientUnderTest client({.host = "slow.name", .port = 1}, {.find_addresses = oracle.find()});
  expect_error(client.fetch(get(), {.connect_timeout = 30ms}), ErrorKind::Timeout, "look up");
  expect_error(client.fetch(get(), {.total_timeout = 30ms}), ErrorKind::Timeout, "look up");
}

TEST(Dial, ASilentNameServerDoesNotCollectThreads) {
  Oracle oracle;
  ClientUnderTest client({.host = "slow.name", .port = 1}, {.find_addresses = oracle.find()});
  int refused = 0;
  for (int count = 0; count < 20; ++count) {
    const auto answer = client.fetch(get(), {.connect_timeout = 5ms});
    refused += answer.error().kind == ErrorKind::Unavailable ? 1 : 0;
  }
  EXPECT_EQ(refused, 4);
  EXPECT_LE(oracle.asked(), 16);
  oracle.answer();
  EXPECT_TRUE(eventually([&] {  // the places are given back
    return client.fetch(get(), {.connect_timeout = 1s}).error().kind == ErrorKind::NotFound;
  }));
}

TEST(Dial, AnAbandonedLookUpTouchesNothing) {
  Oracle oracle;
  {
    boost::asio::io_context context;
    HttpClient client(context.get_executor(), {.host = "slow.name", .port = 1},
                      {.find_addresses = oracle.find()});
    auto task = client.fetch(get());
    boost::asio::co_spawn(context, std::move(task), boost::asio::detached);
    EXPECT_TRUE(eventually([&] {
      context.poll();
      return oracle.asked() == 1;
    }));
  }  // no waiting for the name server, and no loop any more
  oracle.answer();
}

TEST(Dial, TheTimeOfAHandshakeIsBounded) {
  ScriptedServer silent([](Peer& peer) { peer.wait_for_end(); });
  ClientUnderTest client(silent, true);
  expect_error(client.fetch(get(), {.connect_timeout = 50ms}), ErrorKind::Timeout, "TLS handshake");
}

TEST(Dial, ToldApartRefusedAndLost) {
  for (const bool reset : {false, true}) {
    for (const bool tls : {false, true}) {
      ScriptedServer server(
          [&](Peer& peer) {
            peer.read_request();
            if (reset) peer.reset();
          },
          tls ? std::optional(test_tls()) : std::nullopt);
      ClientUnderTest client(server, tls);
      expect_error(client.fetch(), ErrorKind::Unavailable);
    }
  }
  uint16_t port = 0;
  {
    const ScriptedServer gone(always(std::string(kOk)));
    port = gone.port();
  }
  ClientUnderTest client({.port = port, .tls = trusting()});
  expect_error(client.fetch(), ErrorKind::NotFound, "Connection refused");
}

TEST(Dial, SetsTheOptionsOfTheSocket) {
  ScriptedServer server(always(std::string(kOk)));
  ClientUnderTest client(server, false);
  ASSERT_TRUE(client.fetch());
  int found = 0;
  for (int socket = 0; socket < 1024; ++socket) {
    sockaddr_in to{};
    socklen_t size = sizeof to;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&to), &size) != 0 ||
        to.sin_family != AF_INET || ntohs(to.sin_port) != server.port()) {
      continue;
    }
    ++found;
    struct Wanted {
      int level, option, value;
    };
    for (const auto& [level, option, wanted] :
         {Wanted{IPPROTO_TCP, TCP_NODELAY, 1}, Wanted{SOL_SOCKET, SO_KEEPALIVE, 1},
          Wanted{IPPROTO_TCP, TCP_KEEPIDLE, 30}}) {
      int value = 0;
      socklen_t length = sizeof value;
      EXPECT_EQ(::getsockopt(socket, level, option, &value, &length), 0);
      EXPECT_EQ(value, wanted);
    }
  }
  EXPECT_EQ(found, 1);
}

/// `reached` tells when the state has come; then stop() must end the request.
void stop_when(ClientUnderTest& client, const std::function<bool()>& reached) {
  auto pending = client.start();
  EXPECT_TRUE(eventually(reached));
  EXPECT_EQ(pending.wait_for(20ms), std::future_status::timeout);
  client.stop();
  ASSERT_EQ(pending.wait_for(1s), std::future_status::ready);
  expect_error(pending.get(), ErrorKind::Canceled);
  client.stop();
  expect_error(client.fetch(), ErrorKind::Canceled, "has been stopped");
  EXPECT_EQ(client.idle(), 0U);
}

TEST(Stop, WhileLookingUp) {
  const Oracle oracle;
  ClientUnderTest client({.host = "slow.name", .port = 1}, {.find_addresses = oracle.find()});
  stop_when(client, [&] { return oracle.asked() == 1; });
}

TEST(Stop, WhileConnecting) {
  const SilentListener silent("127.0.0.1");
  ClientUnderTest client({.port = silent.port()});
  stop_when(client, [] { return true; });
}

TEST(Stop, WhileShakingHands) {
  ScriptedServer silent([](Peer& peer) { peer.wait_for_end(); });
  ClientUnderTest client(silent, true);
  stop_when(client, [&] { return silent.connections() == 1; });
}

TEST(Stop, WhileWaitingForHeadOrBody) {
  for (const bool tls : {false, true}) {
    for (const auto* begun :
         {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123"}) {
      std::atomic<bool> sent = false;
      ScriptedServer server(
          [&](Peer& peer) {
            peer.read_request();
            peer.send(begun);
            sent = true;
            peer.wait_for_end();
          },
          tls ? std::optional(test_tls()) : std::nullopt);
      ClientUnderTest client(server, tls);
      stop_when(client, [&] { return sent.load(); });
      EXPECT_TRUE(eventually([&] { return server.open() == 0; }));
    }
  }
}

TEST(Stop, WhileSending) {
  ScriptedServer server([](Peer& peer) {  // never reads
    pollfd gone{peer.socket(), POLLRDHUP, 0};
    ::poll(&gone, 1, 10'000);
  });
  ClientUnderTest client(server, false);
  auto pending =
      client.start({.method = "POST", .target = "/", .body = std::string(16 << 20, 'x')});
  EXPECT_TRUE(eventually([&] { return server.connections() == 1; }));
  client.stop();
  ASSERT_EQ(pending.wait_for(1s), std::future_status::ready);
  expect_error(pending.get(), ErrorKind::Canceled);
}

TEST(Stop, WhileAtRest) {
  ScriptedServer server(always(std::string(kOk)), test_tls());
  ClientUnderTest client(server, true);
  ASSERT_TRUE(client.fetch());
  EXPECT_EQ(client.idle(), 1U);
  client.stop();
  EXPECT_EQ(client.idle(), 0U);
  EXPECT_TRUE(eventually([&] { return server.open() == 0; }));
}

}  // namespace
}  // namespace atq::net::test
