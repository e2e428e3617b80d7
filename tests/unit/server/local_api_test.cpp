#include "src/server/local_api.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/net/client.hpp"
#include "tests/fakes/fake_operations.hpp"
#include "tests/unit/net/net_fixture.hpp"

namespace atq::server {
namespace {

using net::Answer;
using nlohmann::json;

api::LoadTest load_test(const std::string& ns, const std::string& name) {
  api::LoadTest test;
  test.metadata.ns = ns;
  test.metadata.name = name;
  test.metadata.uid = "uid-" + name;
  return test;
}

class LocalApiTest : public testing::Test {
 protected:
  LocalApiTest() : service_(make_local_api(operations_), server_options([](const auto&) {})) {
    operations_.put(load_test("default", "checkout"));
    operations_.put(load_test("shop", "cart"), {{.path = "spec.tool", .message = "found x"}});
  }
  Answer ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    const net::Request request{.method = method, .target = target, .body = body};
    const auto answer = loop_.run(net::fetch({.socket = service_.path()}, request));
    if (!answer) {
      ADD_FAILURE() << answer.error().message;
      return {};
    }
    return *answer;
  }
  json ask_json(const std::string& method, const std::string& target,
                const std::string& body = {}) {
    return json::parse(ask(method, target, body).body, nullptr, false);
  }
  template <class F>
  auto on_loop(F function) {
    return service_.loop().call(std::move(function));
  }

  fakes::FakeOperations operations_;
  net::test::Loop loop_;
  net::test::Service service_;
};

TEST_F(LocalApiTest, ListsAllAndByNamespace) {
  const json all = ask_json("GET", "/v1/loadtests");
  EXPECT_EQ(all["metadata"]["resourceVersion"], "2");
  ASSERT_EQ(all["items"].size(), 2U);
  EXPECT_EQ(all["items"][1]["object"]["metadata"]["name"], "cart");
  EXPECT_EQ(all["items"][1]["problems"][0]["path"], "spec.tool");
  EXPECT_EQ(ask_json("GET", "/v1/loadtests?namespace=shop")["items"].size(), 1U);
  EXPECT_EQ(ask_json("GET", "/v1/loadtests?namespace=none")["items"].size(), 0U);
}

TEST_F(LocalApiTest, GetsOne) {
  const json item = ask_json("GET", "/v1/loadtests/default/checkout");
  EXPECT_EQ(item["object"]["metadata"]["uid"], "uid-checkout");
  EXPECT_EQ(item["problems"], json::array());
}

TEST_F(LocalApiTest, FailuresAreStatusObjects) {
  struct Case {
    std::string method, target, body;
    int code;
  };
  for (const Case& tried : std::vector<Case>{
           {"GET", "/v1/loadtests/default/none", "", 404},
           {"GET", "/v1/loadtests/default/checkout/nothing", "", 404},
           {"GET", "/v1/loadtests/default/checkout/logs/more", "", 404},
           {"GET", "/nothing", "", 404},
           {"GET", "/%zz", "", 400},
           {"POST", "/v1/loadtests", "", 405},
           {"DELETE", "/v1/loadtests/default/checkout", "", 405},
           {"GET", "/v1/loadtests/default/checkout/stop", "", 405},
           {"POST", "/v1/watch", "", 405},
           {"POST", "/v1/loadtests/default/checkout/stop", "{", 422},
           {"POST", "/v1/loadtests/default/checkout/stop", R"({"mode":"Soon"})", 422},
           {"GET", "/v1/loadtests/default/checkout/logs?role=cook", "", 422},
           {"GET", "/v1/loadtests/default/checkout/logs?index=-1", "", 422},
           {"GET", "/v1/loadtests/default/checkout/logs?tail=1x", "", 422},
           {"GET", "/v1/loadtests/default/checkout/logs?follow=maybe", "", 422},
           {"GET", "/v1/watch?resourceVersion=x", "", 422},
       }) {
    const json status = ask_json(tried.method, tried.target, tried.body);
    ASSERT_TRUE(status.is_object()) << tried.target;
    EXPECT_EQ(status["kind"], "Status");
    EXPECT_EQ(status["code"], tried.code) << tried.method << " " << tried.target << status;
    EXPECT_FALSE(status["message"].get<std::string>().empty());
  }
}

TEST_F(LocalApiTest, ABrokenRequestGetsAStatusObjectToo) {
  const auto client = service_.connect();
  client.send("nonsense\r\n\r\n");
  EXPECT_NE(client.read().find(R"("kind":"Status")"), std::string::npos);
}

TEST_F(LocalApiTest, StopsAndReruns) {
  EXPECT_EQ(ask_json("POST", "/v1/loadtests/default/checkout/stop")["request"], "4/Graceful");
  EXPECT_EQ(ask_json("POST", "/v1/loadtests/default/checkout/stop", R"({"mode":"Now"})")["request"],
            "4/Now");
  EXPECT_EQ(ask_json("POST", "/v1/loadtests/default/checkout/rerun")["request"], "token");
  EXPECT_EQ(operations_.requests,
            (std::vector<std::string>{"default/checkout stop", "default/checkout stop now",
                                      "default/checkout rerun"}));
  operations_.no_run = true;
  EXPECT_EQ(ask_json("POST", "/v1/loadtests/default/checkout/stop")["reason"], "Conflict");
}

TEST_F(LocalApiTest, TellsEventsProblemsAndVersion) {
  operations_.recorded_events = {{.regarding = "default/checkout",
                                  .warning = true,
                                  .reason = "WorkerLost",
                                  .message = "bad bytes \xff",
                                  .count = 3}};
  operations_.source_problems = {{"a.yaml", "line 3: no"}};
  const json events = ask_json("GET", "/v1/loadtests/default/checkout/events");
  EXPECT_EQ(events["items"][0]["type"], "Warning");
  EXPECT_EQ(events["items"][0]["count"], 3);
  EXPECT_EQ(ask_json("GET", "/v1/problems")["items"][0]["source"], "a.yaml");
  EXPECT_EQ(ask_json("GET", "/version")["version"], ATQ_VERSION);
}

TEST_F(LocalApiTest, StreamsLogs) {
  operations_.log_pieces = {"one\n", "two\n"};
  const Answer answer = ask(
      "GET", "/v1/loadtests/default/checkout/logs?role=worker&index=2&tail=5&follow=true&run=7");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "one\ntwo\n");
  EXPECT_EQ(operations_.requests.at(0), "logs worker 2 run 7 follow tail 5");
  operations_.no_run = true;
  EXPECT_EQ(ask("GET", "/v1/loadtests/default/checkout/logs").status, 404);
}

TEST_F(LocalApiTest, WatchTellsChangesAndEndsWithTheClient) {
  auto client = service_.connect();
  client.send("GET /v1/watch?resourceVersion=1&namespace=shop HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(client.read("cart").find(R"("type":"ADDED")"), std::string::npos);
  on_loop([&] {
    operations_.put(load_test("default", "other"));
    operations_.erase({"shop", "cart"});
    return true;
  });
  const std::string line = client.read("DELETED");
  EXPECT_EQ(line.find("other"), std::string::npos);
  client.close();
  EXPECT_TRUE(net::test::eventually(
      [&] { return on_loop([&] { return operations_.subscribers() == 0; }); }));
}

TEST_F(LocalApiTest, WatchOfThePastIsGone) {
  operations_.oldest = 2;
  EXPECT_EQ(ask("GET", "/v1/watch?resourceVersion=1").status, 410);
}

TEST(ProbeApi, ServesMetricsAndProbesAndNothingElse) {
  std::string why = "not leading";
  net::test::Service service(make_probe_api({.metrics = [] { return std::string("up 1\n"); },
                                             .healthy = [] { return true; },
                                             .not_ready = [&] { return why; }}),
                             server_options([](const auto&) {}));
  net::test::Loop loop;
  const auto ask = [&](const std::string& target) {
    const net::Request request{.method = "GET", .target = target};
    return *loop.run(net::fetch({.socket = service.path()}, request));
  };
  EXPECT_EQ(ask("/metrics").body, "up 1\n");
  EXPECT_EQ(net::find_header(ask("/metrics").headers, "content-type"),
            "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(ask("/readyz").status, 503);
  EXPECT_EQ(ask("/readyz").body, "not ready: not leading\n");
  why.clear();
  EXPECT_EQ(ask("/readyz?verbose").status, 200);
  EXPECT_EQ(ask("/v1/loadtests").status, 404);
}

}  // namespace
}  // namespace atq::server
