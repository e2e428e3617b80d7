// The real Client against servers that do what a test says.
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

#include "src/kube/connection.hpp"
#include "src/kube/retry.hpp"
#include "src/kube/status.hpp"
#include "src/kube/token_bucket.hpp"
#include "tests/unit/net/scripted_server.hpp"

namespace atq::kube {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using net::test::Peer;
using net::test::ScriptedServer;

std::string answer(const std::string& status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
const std::string kYes = answer("200 OK", "", "{}");

/// Answers in order, the last one for ever, and keeps what was asked.
struct Played {
  explicit Played(std::deque<std::string> given) : answers(std::move(given)) {}
  void operator()(Peer& peer) {
    for (std::string request = peer.read_request(); !request.empty();
         request = peer.read_request()) {
      std::string next;
      {
        const std::lock_guard lock(mutex);
        requests.push_back(request);
        next = answers.front();
        if (answers.size() > 1) answers.pop_front();
      }
      if (next.empty()) return peer.reset();
      if (!peer.send(next)) return;
    }
  }
  std::vector<std::string> seen() {
    const std::lock_guard lock(mutex);
    return requests;
  }
  std::mutex mutex;
  std::deque<std::string> answers;
  std::vector<std::string> requests;
};

class Transport : public testing::Test {
 protected:
  ~Transport() override {
    if (client) client->stop();
    loop.restart();
    loop.run_for(5s);
    client.reset();
    loop.restart();
    loop.run_for(100ms);
  }

  void serve(std::deque<std::string> answers, std::optional<net::test::ServerTls> tls = {}) {
    played = std::make_unique<Played>(std::move(answers));
    server = std::make_unique<ScriptedServer>([this](Peer& peer) { (*played)(peer); }, tls);
    access.server = {.tls = tls.has_value(), .host = "127.0.0.1", .port = server->port()};
    access.source = "the test";
  }
  Result<void> connect(CredentialWorld world = {}) {
    options.on_request = [this](const RequestMade& made) { reported.push_back(made); };
    options.warn = [this](const std::string& text) { warnings.push_back(text); };
    auto made = make_client(loop, access, options, std::move(world));
    if (!made) return std::unexpected(made.error());
    client = std::move(*made);
    return {};
  }
  template <class T>
  Result<T> wait(Task<Result<T>> task) {
    Result<T> out = fail(ErrorKind::Internal, "has not ended");
    boost::asio::co_spawn(loop, std::move(task),
                          [&](const std::exception_ptr& thrown, Result<T> result) {
                            if (!thrown) out = std::move(result);
                            loop.stop();
                          });
    loop.restart();
    loop.run_for(30s);
    return out;
  }
  Result<std::string> call(Call what = {.target = "/version"}) {
    return wait(client->call(std::move(what)));
  }

  boost::asio::io_context loop;
  std::unique_ptr<Played> played;
  std::unique_ptr<ScriptedServer> server;
  Access access;
  ConnectionOptions options;
  std::unique_ptr<Client> client;
  std::vector<RequestMade> reported;
  std::vector<std::string> warnings;
};

TEST_F(Transport, SendsHeadersPrefixAndBody) {
  serve({kYes});
  access.server.prefix = "/k8s/c-1";
  access.token.text = "s3cr3t";
  options.user_agent = "atq/test";
  ASSERT_TRUE(connect());
  ASSERT_EQ(call({.method = "PATCH",
                  .target = "/api/v1/x?a=b",
                  .content_type = std::string(kMergePatch),
                  .body = "{\"a\":1}"}),
            "{}");
  const std::string request = played->seen().at(0);
  EXPECT_TRUE(request.starts_with("PATCH /k8s/c-1/api/v1/x?a=b HTTP/1.1\r\n")) << request;
  for (const char* line :
       {"\r\nUser-Agent: atq/test\r\n", "\r\nAccept: application/json, */*\r\n",
        "\r\nAuthorization: Bearer s3cr3t\r\n",
        "\r\nContent-Type: application/merge-patch+json\r\n", "\r\n\r\n{\"a\":1}"}) {
    EXPECT_NE(request.find(line), std::string::npos) << line;
  }
  ASSERT_EQ(reported.size(), 1U);
  EXPECT_EQ(reported[0].code, 200);
  EXPECT_EQ(reported[0].method, "PATCH");
  EXPECT_EQ(reported[0].host, "127.0.0.1:" + std::to_string(server->port()));
  EXPECT_EQ(server->connections(), 1);
  ASSERT_EQ(warnings.size(), 1U) << "a token without TLS";
  EXPECT_EQ(warnings[0].find("s3cr3t"), std::string::npos);
}

TEST_F(Transport, GivesTheServersStatusAsAnError) {
  serve(
      {answer("409 Conflict", "",
              R"({"kind":"Status","code":409,"reason":"AlreadyExists","message":"it is there"})")});
  ASSERT_TRUE(connect());
  const auto result = call();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::Conflict);
  EXPECT_NE(result.error().message.find("it is there"), std::string::npos);
}

TEST_F(Transport, SendsAgainWhereTheServerSaysSo) {
  serve({answer("429 Too Many Requests", "Retry-After: 1\r\n", ""),
         answer("503 Service Unavailable", "Retry-After: 0\r\n", ""), kYes});
  ASSERT_TRUE(connect());
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(call({.method = "POST", .target = "/x", .body = "{}"}), "{}");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 1s);
  EXPECT_EQ(played->seen().size(), 3U);
  ASSERT_EQ(reported.size(), 3U);
  EXPECT_EQ(reported[0].code, 429);
}

TEST_F(Transport, AVersionThatIsTooLargeIsTheCallersToSolve) {
  serve({answer("504 Gateway Timeout", "Retry-After: 1\r\n",
                R"({"kind":"Status","code":504,"reason":"Timeout",)"
                R"("message":"Too large resource version: 9, current: 3"})")});
  ASSERT_TRUE(connect());
  const auto result = call();
  ASSERT_FALSE(result);
  EXPECT_TRUE(is_version_too_large(result.error())) << result.error().message;
  EXPECT_EQ(played->seen().size(), 1U);
}

TEST_F(Transport, DoesNotSendAgainOtherwise) {
  serve({answer("503 Service Unavailable", "", ""), kYes});
  ASSERT_TRUE(connect());
  EXPECT_EQ(call().error().kind, ErrorKind::Unavailable);
  EXPECT_EQ(played->seen().size(), 1U);
}

TEST_F(Transport, DoesNotWaitLongerThanTheCallMay) {
  serve({answer("429 Too Many Requests", "Retry-After: 60\r\n", "")});
  ASSERT_TRUE(connect());
  const auto result = call({.target = "/x", .timeout = 2s});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::Throttled);
  EXPECT_EQ(result.error().retry_after, std::chrono::microseconds(60s));
  EXPECT_EQ(played->seen().size(), 1U);
}

TEST_F(Transport, GivesUpAfterTenAttempts) {
  serve({answer("429 Too Many Requests", "Retry-After: 0\r\n", "")});
  ASSERT_TRUE(connect());
  EXPECT_EQ(call().error().kind, ErrorKind::Throttled);
  EXPECT_EQ(played->seen().size(), 10U);
}

TEST_F(Transport, NeverRepeatsAPostWhoseConnectionBroke) {
  serve({kYes, "", kYes});
  ASSERT_TRUE(connect());
  ASSERT_TRUE(call());
  const auto result = call({.method = "POST", .target = "/x", .body = "{}"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::Unavailable);
  EXPECT_EQ(played->seen().size(), 2U);
  EXPECT_EQ(reported.back().code, 0);
}

TEST_F(Transport, SendsNoWriteThatMayNotBe) {
  serve({kYes, answer("429 Too Many Requests", "Retry-After: 0\r\n", ""), kYes});
  int asked = 0;
  options.may_write = [&asked] { return ++asked == 1; };
  ASSERT_TRUE(connect());
  ASSERT_TRUE(call());
  EXPECT_EQ(asked, 0) << "a read is let through";
  for (int i = 0; i < 2; ++i) {  // refused when it would be sent again, then at once
    const auto result = call({.method = "PATCH", .target = "/x", .body = "{}"});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::Canceled);
  }
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(played->seen().size(), 2U);
  EXPECT_TRUE(call());
}

TEST_F(Transport, SaysUnavailableWhereNobodyListens) {
  serve({kYes});
  server.reset();
  ASSERT_TRUE(connect());
  EXPECT_EQ(call().error().kind, ErrorKind::Unavailable);
}

TEST_F(Transport, ReadsTheTokenAgainOnA401AndTriesOnceMore) {
  const std::string no = answer("401 Unauthorized", "", "");
  serve({no, kYes, no});
  access.token.file = "/token";
  std::string stored = "one";
  CredentialWorld world;
  world.read = [&](const std::string&) -> Result<std::string> { return stored; };
  ASSERT_TRUE(connect(world));
  stored = "two";
  EXPECT_EQ(call(), "{}");
  ASSERT_EQ(played->seen().size(), 2U);
  EXPECT_NE(played->seen()[0].find("Bearer one"), std::string::npos);
  EXPECT_NE(played->seen()[1].find("Bearer two"), std::string::npos);
  // Nothing else to show: no second try, and the token is in no message.
  const auto result = call();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::Unauthorized);
  EXPECT_EQ(result.error().message.find("two"), std::string::npos);
  EXPECT_EQ(played->seen().size(), 3U);
}

TEST_F(Transport, StreamsUntilTheReaderHasEnough) {
  serve({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n"});
  ASSERT_TRUE(connect());
  std::string got;
  std::function<bool(std::string_view)> sink = [&](std::string_view piece) {
    got += piece;
    return !got.ends_with("two");
  };
  const auto result = wait(client->stream({.target = "/watch"}, sink));
  EXPECT_TRUE(result) << result.error().message;
  EXPECT_EQ(got, "onetwo");
  ASSERT_EQ(reported.size(), 1U);
  EXPECT_EQ(reported[0].code, 200);
}

TEST_F(Transport, StreamsGiveTheServersErrorAndTheirSilence) {
  serve(
      {answer("410 Gone", "", R"({"kind":"Status","code":410,"reason":"Expired","message":"old"})"),
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"});
  ASSERT_TRUE(connect());
  std::function<bool(std::string_view)> sink = [](std::string_view) { return true; };
  EXPECT_EQ(wait(client->stream({.target = "/watch"}, sink)).error().kind, ErrorKind::Gone);
  EXPECT_EQ(wait(client->stream({.target = "/watch", .idle_timeout = 200ms}, sink)).error().kind,
            ErrorKind::Timeout);
}

TEST_F(Transport, StopEndsWhatIsUnderWayAndWhatWaits) {
  serve({answer("429 Too Many Requests", "Retry-After: 30\r\n", "")});
  ASSERT_TRUE(connect());
  int canceled = 0;
  const auto count = [&](const std::exception_ptr&, const Result<std::string>& result) {
    canceled += !result && result.error().kind == ErrorKind::Canceled ? 1 : 0;
  };
  boost::asio::co_spawn(loop, client->call({.target = "/a", .timeout = 60s}), count);
  loop.run_for(300ms);
  client->stop();
  boost::asio::co_spawn(loop, client->call({.target = "/b"}), count);
  loop.restart();
  loop.run_for(5s);
  EXPECT_EQ(canceled, 2);
  EXPECT_EQ(played->seen().size(), 1U);
}

TEST_F(Transport, ACancelerEndsItsStreamAloneAndWhatComesAfter) {
  serve({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"});
  ASSERT_TRUE(connect());
  const auto canceler = std::make_shared<net::Canceler>();
  std::vector<std::string> ends;
  int pieces = 0;
  std::function<bool(std::string_view)> sink = [&](std::string_view) {
    if (++pieces == 2) loop.stop();
    return true;
  };
  const auto ended = [&](const std::string& name) {
    return [&ends, name](const std::exception_ptr&, const Result<void>& result) {
      ends.push_back(name + (result ? "" : ' ' + std::string(to_string(result.error().kind))));
    };
  };
  const Call mine{.target = "/mine", .idle_timeout = 60s, .canceler = canceler};
  boost::asio::co_spawn(loop, client->stream(mine, sink), ended("mine"));
  boost::asio::co_spawn(loop, client->stream({.target = "/other", .idle_timeout = 60s}, sink),
                        ended("other"));
  loop.run_for(10s);
  ASSERT_EQ(pieces, 2);
  canceler->cancel();
  loop.restart();
  loop.run_for(300ms);
  EXPECT_EQ(ends, std::vector<std::string>{"mine Canceled"});
  EXPECT_EQ(wait(client->stream(mine, sink)).error().kind, ErrorKind::Canceled);
  EXPECT_EQ(played->seen().size(), 2U);
  client->stop();  // while what the other stream reports to is there
  loop.restart();
  loop.run_for(1s);
  EXPECT_EQ(ends, (std::vector<std::string>{"mine Canceled", "other Canceled"}));
}

TEST_F(Transport, ACancelerEndsTheWaitThatAServerAskedFor) {
  serve({answer("429 Too Many Requests", "Retry-After: 30\r\n", "")});
  ASSERT_TRUE(connect());
  const auto canceler = std::make_shared<net::Canceler>();
  boost::asio::steady_timer later(loop, 300ms);
  later.async_wait([&](const boost::system::error_code&) { canceler->cancel(); });
  std::function<bool(std::string_view)> sink = [](std::string_view) { return true; };
  const auto begun = std::chrono::steady_clock::now();
  const Call call{.target = "/a", .timeout = 60s, .canceler = canceler};
  EXPECT_EQ(wait(client->stream(call, sink)).error().kind, ErrorKind::Canceled);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
}

TEST_F(Transport, ChecksTheServerAndShowsItsClientCertificate) {
  const net::test::Authority authority, other("another");
  const auto me = authority.issue({.subject = "me", .names = "", .usage = "clientAuth"});
  serve({kYes}, net::test::ServerTls{.identity = authority.issue(), .client_ca = authority.pem()});
  access.ca.text = authority.pem();
  access.certificate.text = me.cert_pem;
  access.key.text = me.key_pem;
  ASSERT_TRUE(connect());
  EXPECT_EQ(call(), "{}");
  EXPECT_TRUE(warnings.empty());
  access.ca.text = other.pem();
  ASSERT_TRUE(connect());
  EXPECT_EQ(call().error().kind, ErrorKind::Unauthorized);
  access.ca.text.clear();
  access.insecure = true;
  ASSERT_TRUE(connect());
  EXPECT_EQ(call(), "{}");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(warnings[0].starts_with("WARNING")) << warnings[0];
}

TEST_F(Transport, ClosesConnectionsWhenTheClientCertificateChanges) {
  const net::test::Authority authority;
  const auto me = authority.issue({.subject = "me", .names = "", .usage = "clientAuth"});
  const auto renewed = authority.issue({.subject = "me", .names = "", .usage = "clientAuth"});
  serve({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n", kYes},
        net::test::ServerTls{.identity = authority.issue(), .client_ca = authority.pem()});
  std::map<std::string, std::string> files{
      {"/ca", authority.pem()}, {"/cert", me.cert_pem}, {"/key", me.key_pem}};
  access.ca.file = "/ca";
  access.certificate.file = "/cert";
  access.key.file = "/key";
  Steady time{1h};
  CredentialWorld world;
  world.now = [&] { return time; };
  world.read = [&](const std::string& path) -> Result<std::string> { return files[path]; };
  ASSERT_TRUE(connect(world));
  Result<void> watched;
  bool ended = false;
  std::function<bool(std::string_view)> sink = [this](std::string_view) {
    loop.stop();
    return true;
  };
  boost::asio::co_spawn(loop, client->stream({.target = "/watch", .idle_timeout = 0ms}, sink),
                        [&](const std::exception_ptr&, Result<void> result) {
                          watched = std::move(result);
                          ended = true;
                        });
  loop.run_for(10s);
  EXPECT_EQ(call(), "{}");
  EXPECT_EQ(call(), "{}");
  EXPECT_EQ(server->connections(), 2);

  // Half a rotation: what was read before is kept, and read again soon.
  files["/cert"] = renewed.cert_pem;
  time += 5min;
  EXPECT_EQ(call(), "{}");
  EXPECT_EQ(server->connections(), 2);
  ASSERT_FALSE(warnings.empty());
  EXPECT_EQ(warnings.back().find("PRIVATE"), std::string::npos);
  EXPECT_FALSE(ended);
  files["/key"] = renewed.key_pem;
  time += 10s;
  EXPECT_EQ(call(), "{}");
  EXPECT_EQ(server->connections(), 3);
  loop.restart();
  loop.run_for(200ms);
  ASSERT_TRUE(ended);
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().kind, ErrorKind::Unavailable);
}

TEST_F(Transport, AnExecPluginIsRunAgainOnA401) {
  const fs::path script = fs::path(testing::TempDir()) / "transport-plugin";
  const fs::path runs = script.string() + ".runs";
  fs::remove(runs);
  std::ofstream(script) << "#!/bin/sh\necho x >> " << runs.string()
                        << "\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":"
                           "\"ExecCredential\",\"status\":{\"token\":\"run'$(wc -l < "
                        << runs.string() << ")'\"}}'\n";
  fs::permissions(script, fs::perms::owner_all);
  serve({answer("401 Unauthorized", "", ""), kYes});
  access.exec =
      ExecPlugin{.command = script.string(), .api_version = "client.authentication.k8s.io/v1"};
  ASSERT_TRUE(connect());
  EXPECT_EQ(call(), "{}");
  ASSERT_EQ(played->seen().size(), 2U);
  EXPECT_NE(played->seen()[0].find("Bearer run1"), std::string::npos);
  EXPECT_NE(played->seen()[1].find("Bearer run2"), std::string::npos);
  fs::remove(script);
  fs::remove(runs);
}

TEST(Retries, NeedAHeaderInSeconds) {
  const auto with = [](int status, const std::string& value) {
    return net::Answer{.status = status, .headers = {{"retry-after", value}}, .body = {}};
  };
  EXPECT_EQ(wait_before_retry(with(429, "3"), 1), 3s);
  EXPECT_EQ(wait_before_retry(with(500, "3"), 9), 3s);
  EXPECT_EQ(wait_before_retry(with(500, "3"), 10), std::nullopt);
  EXPECT_EQ(wait_before_retry(with(409, "3"), 1), std::nullopt);
  for (const char* bad : {"", "-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999"}) {
    EXPECT_EQ(wait_before_retry(with(429, bad), 1), std::nullopt) << bad;
  }
}

TEST(TokenBuckets, GiveABurstAndThenTheRate) {
  const TokenBucket::Time start(1h);
  TokenBucket bucket(10, 2);
  EXPECT_EQ(bucket.take(start), 0us);
  EXPECT_EQ(bucket.take(start), 0us);
  EXPECT_EQ(bucket.take(start), 100'000us);
  EXPECT_EQ(bucket.take(start), 200'000us);
  bucket.give_back();
  EXPECT_EQ(bucket.take(start + 1s), 0us);
  TokenBucket none(0, 1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(none.take(start), 0us);
}

/// Sets variables for one test.
class Environment : public testing::Test {
 protected:
  ~Environment() override {
    for (const char* name : {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"})
      ::unsetenv(name);
    fs::remove_all(folder);
  }
  fs::path folder = fs::path(testing::TempDir()) / "service-account";
};

TEST_F(Environment, InClusterReadsTheServiceAccount) {
  EXPECT_EQ(in_cluster_access().error().kind, ErrorKind::NotFound);
  ::setenv("KUBERNETES_SERVICE_HOST", "fd00:10:96::1", 1);
  ::setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  fs::create_directories(folder);
  std::ofstream(folder / "namespace") << "atq-system\n";
  const auto access = in_cluster_access(folder.string());
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server.origin(), "https://[fd00:10:96::1]:443");
  EXPECT_EQ(access->ns, "atq-system");
  EXPECT_EQ(access->token.file, (folder / "token").string());
  EXPECT_EQ(access->ca.file, (folder / "ca.crt").string());
  boost::asio::io_context loop;
  const auto client = make_client(loop, *access, {});
  ASSERT_FALSE(client);
  EXPECT_NE(client.error().message.find("in-cluster: token: "), std::string::npos)
      << client.error().message;
}

}  // namespace
}  // namespace atq::kube
