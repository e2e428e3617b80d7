#include "src/stores/kube_crd/kube_events.hpp"

#include <boost/asio/co_spawn.hpp>
#include <nlohmann/json.hpp>

#include "controller/engine/asio_clock.hpp"
#include "tests/conformance/store_suite.hpp"
#include "tests/fakes/kube/fake_api.hpp"

namespace atq::stores::kube {
namespace {

TEST(KubeEvents, AreEventsOfTheClusterRegardingTheLoadTest) {
  boost::asio::io_context io;
  engine::AsioClock clock(io);
  fakes::kube::FakeApi api(io, clock);
  const auto client = api.connect();
  KubeEvents events(io, *client, {.instance = "director-1", .seed = 1});
  bool ended = false;
  boost::asio::co_spawn(io, events.run(), [&](std::exception_ptr) { ended = true; });
  events.emit("shop/checkout", "u-1", {false, "RunStarted", "run 1 has started"}, clock.now());
  events.emit("shop/checkout", "u-1", {true, "RunFinished", "run 1: Failed"}, clock.now());
  events.emit("team/broken.yaml", "", {true, "SourceUnreadable", "no object"}, clock.now());
  const auto all = [&] { return api.all(atq::kube::kEvents); };
  ASSERT_TRUE(conformance::run_until(io, [&] { return all().size() == 2; }));
  events.stop();
  ASSERT_TRUE(conformance::run_until(io, [&] { return ended; }));
  EXPECT_EQ(all().size(), 2U) << "what is about no object is not written";
  for (const auto& event : all()) {
    EXPECT_EQ(event.at("metadata").at("namespace"), "shop");
    EXPECT_EQ(event.at("regarding").at("kind"), "LoadTest");
    EXPECT_EQ(event.at("regarding").at("apiVersion"), "atq.dev/v1alpha1");
    EXPECT_EQ(event.at("regarding").at("name"), "checkout");
    EXPECT_EQ(event.at("regarding").at("uid"), "u-1");
    EXPECT_EQ(event.at("reportingInstance"), "director-1");
    const bool failed = event.at("reason") == "RunFinished";
    EXPECT_EQ(event.at("type"), failed ? "Warning" : "Normal");
    EXPECT_EQ(event.at("note"), failed ? "run 1: Failed" : "run 1 has started");
  }
  client->stop();
}

}  // namespace
}  // namespace atq::stores::kube
