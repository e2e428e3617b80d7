#include "src/net/tls.hpp"

#include <gtest/gtest.h>

#include "tests/unit/net/client_under_test.hpp"

namespace atq::net::test {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<const TlsContext> context(const TlsOptions& options) {
  auto made = make_tls_context(options);
  if (!made) {
    throw std::runtime_error(made.error().message);
  }
  return *made;
}

Result<Answer> ask(const ScriptedServer& server, const TlsOptions& options,
                   const std::string& host = "localhost") {
  Loop loop;
  return loop.run(fetch({.host = host, .port = server.port(), .tls = context(options)}, get()));
}

TEST(TlsContext, RefusesWhatIsNoPem) {
  const Authority authority;
  const Identity own = authority.issue({.subject = "me", .usage = "clientAuth"});
  const Identity other = authority.issue();
  std::string broken = authority.pem();
  broken[broken.size() / 2] = '!';
  const std::string encrypted = encrypt_key(own.key_pem);
  struct Case {
    TlsOptions options;
    std::string_view words;
  };
  for (const Case& one : {
           Case{{.ca_pem = "no PEM"}, "CA bundle: expected PEM text"},
           Case{{.ca_pem = broken}, "CA bundle: certificate 1 is broken"},
           Case{{.ca_pem = authority.pem() + broken}, "CA bundle: certificate 2 is broken"},
           Case{{.cert_pem = own.cert_pem}, "its key is missing"},
           Case{{.key_pem = own.key_pem}, "its certificate is missing"},
           Case{{.cert_pem = own.cert_pem, .key_pem = other.key_pem}, "does not belong"},
           Case{{.cert_pem = own.cert_pem, .key_pem = "secret"}, "expected PEM text of a private"},
           Case{{.cert_pem = own.cert_pem, .key_pem = encrypted}, "it is encrypted"},
           Case{{.cert_pem = own.key_pem, .key_pem = own.key_pem}, "client certificate"},
       }) {
    const auto made = make_tls_context(one.options);
    ASSERT_FALSE(made) << one.words;
    EXPECT_EQ(made.error().kind, ErrorKind::Invalid);
    EXPECT_NE(made.error().message.find(one.words), std::string::npos) << made.error().message;
    EXPECT_EQ(made.error().message.find("secret"), std::string::npos);
  }
  EXPECT_TRUE(make_tls_context({}));
  EXPECT_TRUE(make_tls_context({.ca_pem = authority.pem() + "\n# more\n" + authority.pem(),
                                .cert_pem = own.cert_pem + authority.pem(),
                                .key_pem = own.key_pem}));
}

TEST(Tls, FetchesByNameAndByAddress) {
  const Authority authority;
  std::string sni = "none";
  ScriptedServer server(
      [&](Peer& peer) {
        sni = peer.sni();
        once(std::string(kOk))(peer);
      },
      ServerTls{authority.issue()});
  for (const auto* name : {"localhost", "localhost.", "127.0.0.1"}) {
    const auto answer = ask(server, {.ca_pem = authority.pem(), .server_name = name});
    ASSERT_TRUE(answer) << name << ": " << answer.error().message;
    EXPECT_EQ(answer->body, "ok");
    EXPECT_EQ(sni, name[0] == 'l' ? "localhost" : "") << name;
  }
  EXPECT_TRUE(ask(server, {.ca_pem = authority.pem()}, "127.0.0.1"));
}

TEST(Tls, SpeaksOneTwoAndNothingOlder) {
  const Authority authority;
  const ScriptedServer two(once(std::string(kOk)),
                           ServerTls{.identity = authority.issue(), .max_version = TLS1_2_VERSION});
  EXPECT_TRUE(ask(two, {.ca_pem = authority.pem()}));
  const ScriptedServer one(once(std::string(kOk)),
                           ServerTls{.identity = authority.issue(), .max_version = TLS1_1_VERSION});
  expect_error(ask(one, {.ca_pem = authority.pem()}), ErrorKind::Invalid, "TLS 1.2");
}

TEST(Tls, SaysWhyACertificateIsNotTrusted) {
  const Authority authority;
  const Authority stranger("somebody else");
  struct Case {
    CertificateSpec spec;
    std::string host;
    std::string_view words;
  };
  for (const Case& one : {
           Case{{.until_seconds = -60}, "localhost", "expired at 20"},
           Case{{.from_seconds = 600}, "localhost", "is not valid before 20"},
           Case{{.names = "DNS:a.example,DNS:b.example,IP:10.0.0.1,IP:::1"},
                "localhost",
                "is for a.example, b.example, 10.0.0.1, ::1, expected \"localhost\""},
           Case{
               {.names = "DNS:localhost"}, "127.0.0.1", "is for localhost, expected \"127.0.0.1\""},
           Case{{.names = "IP:127.0.0.2"}, "127.0.0.1", "is for 127.0.0.2, expected"},
           Case{{.names = "DNS:127.0.0.1"}, "127.0.0.1", "is for 127.0.0.1, expected"},
           Case{{.subject = "localhost", .names = ""}, "localhost", "is for no name, expected"},
           Case{{.names = "DNS:local*"}, "localhost", "is for local*, expected"},
           Case{{.usage = "clientAuth"}, "localhost", "is not accepted: "},
       }) {
    const ScriptedServer server(once(std::string(kOk)), ServerTls{authority.issue(one.spec)});
    expect_error(ask(server, {.ca_pem = authority.pem()}, one.host), ErrorKind::Unauthorized,
                 one.words);
    // Told not to look, it does not.
    EXPECT_TRUE(ask(server, {.insecure = true}, one.host));
  }
  const ScriptedServer server(once(std::string(kOk)), ServerTls{authority.issue()});
  expect_error(ask(server, {.ca_pem = stranger.pem()}), ErrorKind::Unauthorized,
               "signed by \"test authority\", an unknown authority; expected one of the CA bundle");
  expect_error(ask(server, {}), ErrorKind::Unauthorized, "the system's authorities");
}

TEST(Tls, ShowsOnlySomeOfManyNamesAndNoneOfTheirTricks) {
  const Authority authority;
  std::string names = "DNS:evil\x1b[31m.example";
  for (int count = 0; count < 30; ++count) {
    names += ",DNS:n" + std::to_string(count) + ".example";
  }
  const ScriptedServer server(once(std::string(kOk)), ServerTls{authority.issue({.names = names})});
  const auto answer = ask(server, {.ca_pem = authority.pem()});
  expect_error(answer, ErrorKind::Unauthorized, "evil?[31m.example, n0.example");
  EXPECT_NE(answer.error().message.find(" and 23 more"), std::string::npos);
}

TEST(Tls, ChecksTheNameItIsTold) {
  const Authority authority;
  const ScriptedServer server(once(std::string(kOk)),
                              ServerTls{authority.issue({.names = "DNS:api.example,IP:10.0.0.1"})});
  const std::string ca = authority.pem();
  EXPECT_TRUE(ask(server, {.ca_pem = ca, .server_name = "api.example"}));
  EXPECT_TRUE(ask(server, {.ca_pem = ca, .server_name = "10.0.0.1"}));
  expect_error(ask(server, {.ca_pem = ca, .server_name = "other.example"}), ErrorKind::Unauthorized,
               "expected \"other.example\"");
  // To OpenSSL a leading dot is any name below: not to us.
  expect_error(ask(server, {.ca_pem = ca, .server_name = ".example"}), ErrorKind::Invalid,
               "no name for TLS");
}

TEST(Tls, AnchorsTrustInWhateverStandsInTheBundle) {
  const Authority authority;
  const Identity pinned = authority.issue();
  const ScriptedServer server(once(std::string(kOk)), ServerTls{pinned});
  EXPECT_TRUE(ask(server, {.ca_pem = pinned.cert_pem}));
}

TEST(Tls, ShowsAClientCertificateAndNoticesThatItMust) {
  const Authority authority;
  const Authority stranger("somebody else");
  const Identity own = authority.issue({.subject = "me", .usage = "clientAuth"});
  const Identity foreign = stranger.issue({.subject = "me", .usage = "clientAuth"});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const ScriptedServer server(once(std::string(kOk)),
                                ServerTls{authority.issue(), authority.pem(), version});
    const std::string ca = authority.pem();
    const auto answer =
        ask(server, {.ca_pem = ca, .cert_pem = own.cert_pem, .key_pem = own.key_pem});
    EXPECT_TRUE(answer) << answer.error().message;
    expect_error(ask(server, {.ca_pem = ca}), ErrorKind::Unauthorized,
                 "expects a client certificate, none is configured");
    expect_error(
        ask(server, {.ca_pem = ca, .cert_pem = foreign.cert_pem, .key_pem = foreign.key_pem}),
        ErrorKind::Unauthorized, "does not accept our client certificate");
  }
}

TEST(Tls, TellsAServerWithoutTls) {
  const ScriptedServer server([](Peer& peer) {
    peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.wait_for_end();
  });
  expect_error(ask(server, {}), ErrorKind::Invalid, "does not speak TLS");
}

TEST(Tls, AMissingEndIsABrokenConnection) {
  const Authority authority;
  const std::string endless = "HTTP/1.1 200 OK\r\n\r\nhalf a bo";
  const TlsOptions options{.ca_pem = authority.pem()};
  const ScriptedServer cut(
      [&](Peer& peer) {
        peer.read_request();
        peer.send(endless);
      },
      ServerTls{authority.issue()});
  expect_error(ask(cut, options), ErrorKind::Unavailable, "not ended regularly");
  const ScriptedServer whole(once(endless), ServerTls{authority.issue()});
  const auto answer = ask(whole, options);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "half a bo");
}

}  // namespace
}  // namespace atq::net::test
