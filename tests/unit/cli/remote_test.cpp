#include <nlohmann/json.hpp>

#include "src/server/local_api.hpp"
#include "tests/fakes/fake_operations.hpp"
#include "tests/unit/cli/cli_fixture.hpp"
#include "tests/unit/net/net_fixture.hpp"

namespace atq::cli {
namespace {

using test::Outcome;

/// A director's local API at DATA/atq.sock over a fake.
class RemoteTest : public testing::Test {
 protected:
  RemoteTest()
      : server_(loop_.context().get_executor(), server::make_local_api(operations_),
                server::server_options([](const auto&) {})) {
    operations_.put(test::waiting_test());
    api::LoadTest cart = test::finished_test(api::Verdict::Failed);
    cart.metadata.ns = "shop";
    cart.metadata.name = "cart";
    operations_.put(cart, {{.path = "spec.tool", .message = "found x"}});
    loop_.call([&] { return server_.listen_unix(folder_ / "atq.sock").has_value(); });
  }
  ~RemoteTest() override { loop_.run(server_.stop(std::chrono::milliseconds(0))); }

  Outcome ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--data", (folder_ / "").string()});
    return test::atq(arguments);
  }

  net::test::Folder folder_;
  net::test::Loop loop_;
  fakes::FakeOperations operations_;
  net::Server server_;
};

TEST_F(RemoteTest, GetsTables) {
  const Outcome own = ask({"get"});
  EXPECT_EQ(own.code, 0) << own.err;
  EXPECT_NE(own.out.find("checkout      Workers"), std::string::npos) << own.out;
  EXPECT_EQ(own.out.find("cart"), std::string::npos);
  operations_.source_problems = {{"a.yaml", "line 3: no"}};
  const Outcome all = ask({"get", "-A", "-o", "wide"});
  EXPECT_NE(all.out.find("shop"), std::string::npos);
  EXPECT_NE(all.out.find("Files with problems:\n  a.yaml: line 3: no"), std::string::npos);
  EXPECT_NE(all.out.find("Not accepted:\n  shop/cart: spec.tool: found x"), std::string::npos);
  const Outcome none = ask({"get", "-n", "empty"});
  EXPECT_EQ(none.code, 0);
  EXPECT_NE(none.err.find("No LoadTests in namespace empty"), std::string::npos);
}

TEST_F(RemoteTest, GetsDocumentsAndNames) {
  const auto one = nlohmann::json::parse(ask({"get", "shop/cart", "-o", "json"}).out);
  EXPECT_EQ(one["metadata"]["name"], "cart");
  EXPECT_EQ(operations_.lists, 0) << "one is asked for, not all of its namespace";
  const auto list = nlohmann::json::parse(ask({"get", "-A", "-o", "json"}).out);
  EXPECT_EQ(list["items"].size(), 2U);
  EXPECT_NE(ask({"get", "checkout", "-o", "yaml"}).out.find("name: checkout"), std::string::npos);
  EXPECT_EQ(ask({"get", "-o", "name"}).out, "checkout\n");
  EXPECT_EQ(ask({"get", "-A", "-o", "name"}).out, "default/checkout\nshop/cart\n");
}

TEST_F(RemoteTest, WhatIsNotThereIsExitCode1) {
  for (const std::string verb : {"get", "describe", "logs", "stop", "rerun"}) {
    const Outcome outcome = ask({verb, "nothing"});
    EXPECT_EQ(outcome.code, 1) << verb;
    EXPECT_EQ(outcome.err, "atq: there is no LoadTest default/nothing\n") << verb;
  }
}

TEST_F(RemoteTest, DescribesWithEvents) {
  operations_.recorded_events = {{.regarding = "default/checkout",
                                  .reason = "RunStarted",
                                  .message = "run 1",
                                  .count = 1,
                                  .last_at = test::at(1)}};
  const Outcome outcome = ask({"describe", "checkout"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("RunStarted"), std::string::npos) << outcome.out;
}

TEST_F(RemoteTest, LogsChooseTheMasterWhereThereIsOne) {
  operations_.log_pieces = {"one\n", "two\n"};
  EXPECT_EQ(ask({"logs", "checkout"}).out, "one\ntwo\n");
  EXPECT_EQ(ask({"logs", "checkout", "--worker", "1", "-f", "--tail", "3", "--run", "2"}).code, 0);
  EXPECT_EQ(operations_.requests, (std::vector<std::string>{"logs master 0 run 0 tail 0",
                                                            "logs worker 1 run 2 follow tail 3"}));
  operations_.no_run = true;
  EXPECT_EQ(ask({"logs", "checkout"}).err, "atq: no logs\n");
}

TEST_F(RemoteTest, StopsAndReruns) {
  EXPECT_EQ(ask({"stop", "checkout"}).out, "run 4 of default/checkout is stopping gracefully\n");
  EXPECT_EQ(ask({"stop", "checkout", "--now"}).out, "run 4 of default/checkout is being killed\n");
  EXPECT_EQ(ask({"rerun", "checkout"}).code, 0);
  operations_.no_run = true;
  EXPECT_EQ(ask({"stop", "checkout"}).code, 1);
}

TEST_F(RemoteTest, WatchGoesOnFromTheListing) {
  std::promise<Outcome> promise;
  std::thread watcher([&] { promise.set_value(ask({"get", "-w"})); });
  ASSERT_TRUE(net::test::eventually(
      [&] { return loop_.call([&] { return operations_.subscribers() == 1; }); }));
  loop_.call([&] {
    api::LoadTest next = test::finished_test(api::Verdict::Passed);
    operations_.put(next);
    operations_.erase({"default", "checkout"});
    return true;
  });
  // What the subscription told is written before the connection ends.
  ASSERT_TRUE(net::test::eventually(
      [&] { return loop_.call([&] { return operations_.list("").resource_version == 4; }); }));
  loop_.run(server_.stop(std::chrono::seconds(5)));
  const Outcome outcome = promise.get_future().get();
  watcher.join();
  EXPECT_NE(outcome.out.find("checkout      Workers"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("checkout  deleted"), std::string::npos) << outcome.out;
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(" has gone\n"), std::string::npos) << outcome.err;
}

TEST_F(RemoteTest, TellsVersions) {
  EXPECT_NE(ask({"version"}).out.find("atq-director " ATQ_VERSION), std::string::npos);
}

TEST(NoDirector, IsSaidWithAdvice) {
  net::test::Folder folder;
  const std::string data = (folder / "none").string();
  const Outcome outcome = test::atq({"get", "--data", data});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(
      outcome.err,
      "atq: no director listens on " + data +
          "/atq.sock: start one with atq-director …, give --data, or --context for a cluster\n");
  EXPECT_EQ(test::atq({"version", "--data", data}).code, 0);
}

}  // namespace
}  // namespace atq::cli
