// connect() against a real API server, the one that KUBECONFIG names (hack/lab kubernetes env).
#include "src/kube/connection.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/kube/objects.hpp"

namespace atq::kube {
namespace {

using namespace std::chrono_literals;

class RealApiServer : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("KUBECONFIG") == nullptr) {
      GTEST_SKIP() << "no KUBECONFIG: eval \"$(hack/lab kubernetes env)\"";
    }
    options.on_request = [this](const RequestMade& made) { reported.push_back(made); };
    auto found = connect(loop, options);
    ASSERT_TRUE(found) << found.error().message;
    connection = std::move(*found);
  }
  ~RealApiServer() override {
    if (connection.client) connection.client->stop();
    loop.restart();
    loop.run_for(1s);
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

  boost::asio::io_context loop;
  ConnectionOptions options;
  Connection connection;
  std::vector<RequestMade> reported;
};

TEST_F(RealApiServer, TellsItsVersion) {
  const auto body = wait(connection.client->call({.target = "/version"}));
  ASSERT_TRUE(body) << body.error().message;
  EXPECT_NE(body->find("gitVersion"), std::string::npos);
  ASSERT_EQ(reported.size(), 1U);
  EXPECT_EQ(reported[0].code, 200);
}

TEST_F(RealApiServer, CreatesWatchesAndDeletesAConfigMap) {
  const std::string name = "atq-connection-" + std::to_string(::getpid());
  const Json object{{"apiVersion", "v1"},
                    {"kind", "ConfigMap"},
                    {"metadata", {{"name", name}}},
                    {"data", {{"a", "1"}}}};
  const auto made = wait(create_object(*connection.client, kConfigMaps, "default", object));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(wait(create_object(*connection.client, kConfigMaps, "default", object)).error().kind,
            ErrorKind::Conflict);

  std::string events;
  std::function<bool(std::string_view)> sink = [&](std::string_view piece) {
    events += piece;
    return events.find('\n') == std::string::npos;
  };
  const auto watched = wait(connection.client->stream(
      {.target = "/api/v1/namespaces/default/configmaps?watch=true&fieldSelector=metadata.name%3D" +
                 name},
      sink));
  EXPECT_TRUE(watched) << watched.error().message;
  EXPECT_NE(events.find("\"ADDED\""), std::string::npos) << events;

  const auto gone = wait(delete_object(*connection.client, kConfigMaps, "default", name));
  EXPECT_TRUE(gone) << gone.error().message;
  EXPECT_EQ(wait(get_object(*connection.client, kConfigMaps, "default", name)).error().kind,
            ErrorKind::NotFound);
}

TEST_F(RealApiServer, RefusesABadTokenWithoutShowingIt) {
  auto access = find_access(options);
  ASSERT_TRUE(access);
  access->certificate = access->key = {};
  access->exec.reset();
  access->token = {.text = "s3cr3t", .file = {}};
  auto client = make_client(loop, *access, options);
  ASSERT_TRUE(client) << client.error().message;
  const auto body = wait((*client)->call({.target = "/api/v1/namespaces"}));
  (*client)->stop();
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().kind, ErrorKind::Unauthorized);
  EXPECT_EQ(body.error().message.find("s3cr3t"), std::string::npos);
}

TEST_F(RealApiServer, IsNotTrustedWithAnotherAuthority) {
  auto access = find_access(options);
  ASSERT_TRUE(access);
  access->ca = {};  // the system's
  auto client = make_client(loop, *access, options);
  ASSERT_TRUE(client) << client.error().message;
  const auto body = wait((*client)->call({.target = "/version"}));
  (*client)->stop();
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().kind, ErrorKind::Unauthorized) << body.error().message;
}

}  // namespace
}  // namespace atq::kube
