#include "src/kube/credentials.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "src/kube/exec_credential.hpp"
#include "src/kube/exec_run.hpp"

namespace atq::kube {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

template <class T>
Result<T> wait(boost::asio::io_context& loop, net::Task<Result<T>> task) {
  Result<T> out = fail(ErrorKind::Internal, "has not ended");
  boost::asio::co_spawn(loop, std::move(task),
                        [&](const std::exception_ptr& thrown, Result<T> result) {
                          if (!thrown) out = std::move(result);
                        });
  loop.restart();
  loop.run_for(20s);
  return out;
}

/// Files, clocks and warnings under the test's control.
struct World {
  Steady now{1h};
  TimePoint wall{1'700'000'000s};
  std::map<std::string, Result<std::string>> files;
  int reads = 0;
  std::vector<std::string> warnings;

  CredentialWorld make() {
    CredentialWorld world;
    world.now = [this] { return now; };
    world.wall = [this] { return wall; };
    world.read = [this](const std::string& path) -> Result<std::string> {
      ++reads;
      const auto found = files.find(path);
      if (found == files.end()) return fail(ErrorKind::NotFound, path + ": No such file");
      return found->second;
    };
    world.warn = [this](const std::string& text) { warnings.push_back(text); };
    return world;
  }
};

Access plain_access() {
  Access access;
  access.server = {.tls = false, .host = "127.0.0.1", .port = 1};
  access.source = "the test";
  return access;
}

class TokenFile : public testing::Test {
 protected:
  TokenFile() {
    world.files["/token"] = "one\n";
    Access access = plain_access();
    access.token.file = "/token";
    credentials = std::make_unique<Credentials>(loop.get_executor(), access, world.make());
  }
  CurrentCredentials current() {
    auto now = wait(loop, credentials->current());
    EXPECT_TRUE(now) << now.error().message;
    return now.value_or(CurrentCredentials{});
  }

  boost::asio::io_context loop;
  World world;
  std::unique_ptr<Credentials> credentials;
};

TEST_F(TokenFile, IsReadAgainBeforeAMinuteIsOver) {
  EXPECT_EQ(current().token, "one");
  world.files["/token"] = "two";
  world.now += 49s;
  EXPECT_EQ(current().token, "one");
  EXPECT_EQ(world.reads, 1);
  world.now += 1s;
  EXPECT_EQ(current().token, "two");
}

TEST_F(TokenFile, KeepsTheOldOneWhereReadingFails) {
  EXPECT_EQ(current().token, "one");
  world.files.clear();
  world.now += 60s;
  EXPECT_EQ(current().token, "one");
  ASSERT_EQ(world.warnings.size(), 1U);
  EXPECT_NE(world.warnings[0].find("/token"), std::string::npos);
  world.files["/token"] = "s3cr3t two words";
  world.now += 10s;
  EXPECT_EQ(current().token, "one");
  EXPECT_EQ(world.warnings.back().find("s3cr3t"), std::string::npos);
  world.files["/token"] = "two";
  world.now += 10s;
  EXPECT_EQ(current().token, "two");
}

TEST_F(TokenFile, IsDroppedOnA401WhereItIsOlderThanTheRequest) {
  const auto used = current();
  world.files["/token"] = "two";
  world.now += 1s;
  credentials->rejected(used, world.now);
  EXPECT_EQ(current().token, "two");
  // A late answer to a request begun before the reading says nothing of the new token.
  world.files["/token"] = "three";
  credentials->rejected(used, world.now - 1s);
  EXPECT_EQ(current().token, "two");
}

TEST_F(TokenFile, IsAnErrorWhereThereIsNone) {
  world.files.clear();
  const auto now = wait(loop, credentials->current());
  ASSERT_FALSE(now);
  EXPECT_EQ(now.error().message, "the test: token: /token: No such file");
}

TEST(ExecCredentialText, AcceptsTokensAndCertificatesOfItsVersion) {
  const ExecPlugin plugin{.command = "p", .api_version = "client.authentication.k8s.io/v1"};
  const auto token = read_exec_credential(
      R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
          "status":{"token":"t","expirationTimestamp":"2026-01-02T03:04:05Z"}})",
      plugin);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->token, "t");
  EXPECT_EQ(token->expires, parse_rfc3339("2026-01-02T03:04:05Z"));
  const auto pair = read_exec_credential(
      R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
          "status":{"clientCertificateData":"c","clientKeyData":"k"}})",
      plugin);
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->certificate + pair->key, "ck");
  EXPECT_EQ(pair->expires, std::nullopt);
}

TEST(ExecCredentialText, RefusesTheRestWithoutShowingIt) {
  const ExecPlugin plugin{.command = "p", .api_version = "client.authentication.k8s.io/v1"};
  const std::string head =
      R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential")";
  const std::pair<std::string, std::string> bad[] = {
      {"s3cr3t", "no JSON object"},
      {"[\"s3cr3t\"]", "no JSON object"},
      {R"({"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"s3cr3t"}})",
       "expected ExecCredential of client.authentication.k8s.io/v1"},
      {R"({"kind":"ExecCredential","status":{"token":"s3cr3t"}})", "expected ExecCredential"},
      {R"({"apiVersion":1,"kind":["s3cr3t"]})", "expected ExecCredential"},
      {head + "}", "no status"},
      {head + R"(,"status":"s3cr3t"})", "no status"},
      {head + R"(,"status":{}})", "neither a token nor a client certificate"},
      {head + R"(,"status":{"token":["s3cr3t"]}})", "something else than texts"},
      {head + R"(,"status":{"token":"s3cr3t\nX-Evil: 1"}})", "signs that no token has"},
      {head + R"(,"status":{"clientKeyData":"s3cr3t"}})", "expected both"},
      {head + R"(,"status":{"token":"s3cr3t","expirationTimestamp":"s3cr3t"}})", "no RFC 3339"}};
  for (const auto& [output, says] : bad) {
    const auto credential = read_exec_credential(output, plugin);
    ASSERT_FALSE(credential) << output;
    EXPECT_NE(credential.error().message.find(says), std::string::npos)
        << credential.error().message;
    EXPECT_EQ(credential.error().message.find("s3cr3t"), std::string::npos);
  }
}

/// Scripts in a folder of the test's own.
class ExecPlugins : public testing::Test {
 protected:
  ExecPlugins() {
    folder = fs::path(testing::TempDir()) /
             ("exec-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder);
    fs::create_directories(folder);
    access = plain_access();
    access.exec = ExecPlugin{.command = (folder / "plugin").string(),
                             .arguments = {"a b", "$(echo no shell)"},
                             .environment = {{"PROFILE", "lab"}},
                             .api_version = "client.authentication.k8s.io/v1"};
  }
  ~ExecPlugins() override { fs::remove_all(folder); }

  void script(const std::string& body) {
    std::ofstream(folder / "plugin") << "#!/bin/sh\ncd " << folder.string() << "\n" << body << "\n";
    fs::permissions(folder / "plugin", fs::perms::owner_all);
  }
  /// Prints a token that counts the runs.
  void counting_script(const std::string& more_status = "") {
    script(
        "echo x >> runs\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\","
        "\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t'$(wc -l < runs)'\"" +
        more_status + "}}'");
  }
  std::string text(const std::string& name) const {
    std::ifstream in(folder / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Credentials& credentials() {
    if (!made) {
      auto with = world.make();
      with.exec_timeout = timeout;
      made = std::make_unique<Credentials>(loop.get_executor(), access, with);
    }
    return *made;
  }
  Result<CurrentCredentials> current() { return wait(loop, credentials().current()); }

  fs::path folder;
  boost::asio::io_context loop;
  World world;
  Access access;
  std::chrono::milliseconds timeout{15'000};
  std::unique_ptr<Credentials> made;
};

TEST_F(ExecPlugins, AreAskedOnceAndGetWhatTheContractSays) {
  access.exec->provide_cluster_info = true;
  counting_script();
  const std::string body = text("plugin").substr(text("plugin").find("echo x"));
  script(
      "printf '%s' \"$KUBERNETES_EXEC_INFO\" > info; printf '%s|%s|%s' \"$1\" \"$2\" \"$PROFILE\" "
      "> words; "
      "cat > stdin\n" +
      body);
  EXPECT_EQ(current().value().token, "t1");
  EXPECT_EQ(current().value().token, "t1");
  EXPECT_EQ(text("words"), "a b|$(echo no shell)|lab");
  EXPECT_EQ(text("stdin"), "");
  EXPECT_EQ(text("info"),
            R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":)"
            R"({"cluster":{"server":"http://127.0.0.1:1"},"interactive":false}})");
}

TEST_F(ExecPlugins, RunAgainWhenTheCredentialExpires) {
  world.wall = *parse_rfc3339("2026-01-01T00:00:00Z");
  counting_script(",\"expirationTimestamp\":\"2026-01-01T01:00:00Z\"");
  EXPECT_EQ(current().value().token, "t1");
  world.wall += 59min;
  EXPECT_EQ(current().value().token, "t1");
  world.wall += 1min;
  EXPECT_EQ(current().value().token, "t2");
}

TEST_F(ExecPlugins, RunOnceMoreAfterA401UnlessRotatedSince) {
  counting_script();
  const auto first = current().value();
  credentials().rejected(first, world.now);
  EXPECT_EQ(current().value().token, "t2");
  credentials().rejected(first, world.now);
  EXPECT_EQ(current().value().token, "t2");
}

TEST_F(ExecPlugins, RunOnceForAllThatWait) {
  counting_script();
  int done = 0;
  for (int i = 0; i < 5; ++i) {
    boost::asio::co_spawn(loop, credentials().current(),
                          [&](const std::exception_ptr&, const Result<CurrentCredentials>& result) {
                            done += result && result->token == "t1" ? 1 : 0;
                          });
  }
  loop.run_for(20s);
  EXPECT_EQ(done, 5);
  EXPECT_EQ(text("runs"), "x\n");
}

TEST_F(ExecPlugins, FailWithoutTheirWords) {
  script("echo s3cr3t; exit 3");
  const auto failed = current();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message,
            "the test: exec plugin " + access.exec->command + " ended with code 3");
  script("echo s3cr3t");
  const auto words = current();
  ASSERT_FALSE(words);
  EXPECT_EQ(words.error().message.find("s3cr3t"), std::string::npos) << words.error().message;
  counting_script();
  EXPECT_EQ(current().value().token, "t1") << "a failure is not kept";
}

TEST_F(ExecPlugins, ThatAreMissingSayHowToGetThem) {
  access.exec->command = "no-such-plugin-of-atq";
  access.exec->install_hint = "apt-get install it";
  const auto failed = current();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::Invalid);
  EXPECT_NE(failed.error().message.find("apt-get install it"), std::string::npos);
}

TEST_F(ExecPlugins, ThatHangAreKilledWithTheirChildren) {
  timeout = 300ms;
  script("sleep 600 & echo $! > child; wait");
  const auto begun = std::chrono::steady_clock::now();
  const auto failed = current();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::Timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
  const std::string child = text("child");
  ASSERT_FALSE(child.empty());
  // Dying takes a moment, and who reaps it is not ours to say: a zombie counts as gone.
  const auto gone = [&] {
    std::ifstream stat("/proc/" + child.substr(0, child.find('\n')) + "/stat");
    const std::string line{std::istreambuf_iterator<char>(stat), {}};
    return line.empty() || line.find(") Z") != std::string::npos;
  };
  for (int i = 0; i < 1000 && !gone(); ++i) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(gone());
}

TEST_F(ExecPlugins, ThatDaemonizeDoNotHoldUsUp) {
  timeout = 500ms;
  script("setsid sleep 30 & exit 0");
  const auto failed = current();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::Timeout);
}

TEST_F(ExecPlugins, ThatPrintWithoutEndAreKilled) {
  script("exec yes s3cr3t");
  const auto failed = current();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::Invalid);
  EXPECT_EQ(failed.error().message.find("s3cr3t"), std::string::npos);
}

TEST_F(ExecPlugins, AreKilledByStop) {
  script("sleep 600");
  Result<CurrentCredentials> ended = fail(ErrorKind::Internal, "has not ended");
  boost::asio::co_spawn(loop, credentials().current(),
                        [&](const std::exception_ptr&, Result<CurrentCredentials> result) {
                          ended = std::move(result);
                        });
  loop.run_for(100ms);
  credentials().stop();
  loop.run_for(10s);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, ErrorKind::Canceled);
}

TEST_F(ExecPlugins, InheritNoDescriptorButTheirOwn) {
  script("ls /proc/self/fd > fds");
  EXPECT_FALSE(current());
  EXPECT_EQ(text("fds"), "0\n1\n2\n3\n") << "3 is the folder that ls reads";
}

}  // namespace
}  // namespace atq::kube
