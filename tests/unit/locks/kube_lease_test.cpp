#include "src/locks/kube_lease/kube_lease.hpp"

#include <list>

#include <nlohmann/json.hpp>

#include "tests/conformance/lock_suite.hpp"
#include "tests/fakes/kube/fake_api.hpp"
#include "tests/fakes/virtual_clock.hpp"

namespace atq {
namespace {

using namespace std::chrono_literals;
using fakes::kube::Json;

struct LeaseWorld {
  ~LeaseWorld() {
    for (auto& client : clients) client->stop();
    clock.advance(30s);
  }

  std::unique_ptr<locks::KubeLease> make_lease(const std::string& name) {
    clients.push_back(api.connect(name));
    return std::make_unique<locks::KubeLease>(
        io_, clock, *clients.back(),
        locks::KubeLeaseOptions{.ns = "atq",
                                .name = "atq-director",
                                .identity = name,
                                .times = {},
                                .seed = clients.size(),
                                .note = [this](const std::string& text) { notes.push_back(text); },
                                .slow_path = [this] { ++slow_paths; }});
  }
  std::unique_ptr<ports::LeaderLock> make() {
    return make_lease("director-" + std::to_string(clients.size() + 1));
  }
  void turn() { clock.advance(4'400ms); }
  void take_away() {
    api.put(kube::kLeases, "atq",
            {{"kind", "Lease"},
             {"metadata", {{"name", "atq-director"}}},
             {"spec", {{"holderIdentity", "thief"}, {"leaseDurationSeconds", 15}}}});
  }
  boost::asio::io_context& io() { return io_; }
  Json spec() const { return api.get(kube::kLeases, "atq", "atq-director")->at("spec"); }

  boost::asio::io_context io_;
  fakes::VirtualClock clock{io_};
  fakes::kube::FakeApi api{io_, clock};
  std::list<std::unique_ptr<kube::Client>> clients;
  std::vector<std::string> notes;
  int slow_paths = 0;
};

/// A contender with its two waits.
class Contender {
 public:
  Contender(LeaseWorld& world, const std::string& name)
      : world_(world), lock(world.make_lease(name)) {
    boost::asio::co_spawn(world.io(), run(), [](std::exception_ptr) {});
    world.clock.settle();
  }
  ~Contender() {
    lock->stop();
    world_.clock.advance(30s);
  }

 private:
  Task<void> run() {
    auto acquiring = lock->acquire();
    acquired = co_await std::move(acquiring);
    if (*acquired && **acquired) {
      leading = true;
      auto losing = lock->lost();
      co_await std::move(losing);
      leading = false;
      lost_at = world_.clock.monotonic();
    }
  }
  LeaseWorld& world_;

 public:
  std::unique_ptr<locks::KubeLease> lock;
  std::optional<Result<bool>> acquired;
  bool leading = false;
  std::optional<Duration> lost_at;
};

}  // namespace

namespace conformance {
INSTANTIATE_TYPED_TEST_SUITE_P(KubeLease, LockSuite, LeaseWorld);
}  // namespace conformance

namespace {

TEST(KubeLease, RenewsEveryTwoSecondsWithOneWriteAndNoRead) {
  LeaseWorld world;
  Contender a(world, "a");
  ASSERT_TRUE(a.leading);
  world.api.forget_calls();
  world.clock.advance(60s);
  EXPECT_TRUE(a.leading);
  EXPECT_EQ(world.api.count("PUT"), 30U);
  EXPECT_EQ(world.api.count("GET"), 0U);
  EXPECT_EQ(world.slow_paths, 0);
  EXPECT_EQ(world.spec().at("leaseTransitions"), 0);
  EXPECT_EQ(world.spec().at("renewTime"), "2026-01-01T00:01:00.000000Z");
}

TEST(KubeLease, CleanStopHandsOverWithinFiveSeconds) {
  LeaseWorld world;
  Contender a(world, "a"), b(world, "b");
  world.clock.advance(20s);
  ASSERT_TRUE(a.leading);
  ASSERT_FALSE(b.leading);
  a.lock->stop();
  EXPECT_FALSE(a.lock->still_held());
  bool ended = false;
  boost::asio::co_spawn(world.io(), a.lock->ended(), [&](std::exception_ptr) { ended = true; });
  world.clock.settle();
  EXPECT_TRUE(ended);
  EXPECT_EQ(world.spec().at("holderIdentity"), "");
  EXPECT_EQ(world.spec().at("leaseDurationSeconds"), 1);
  EXPECT_TRUE(world.clock.advance_until([&] { return b.leading; }, 5s));
  EXPECT_EQ(world.spec().at("leaseTransitions"), 1);
}

TEST(KubeLease, LeaderThatDiesIsReplacedWithin25Seconds) {
  for (int round = 0; round < 20; ++round) {
    LeaseWorld world;
    for (int i = 0; i < round; ++i) world.clients.push_back(world.api.connect("seed"));
    Contender a(world, "a"), b(world, "b"), c(world, "c");
    world.clock.advance(10s + std::chrono::milliseconds(137 * round));
    ASSERT_TRUE(a.leading);
    world.api.partition("a", true);
    const Duration died = world.clock.monotonic();
    ASSERT_TRUE(world.clock.advance_until([&] { return b.leading || c.leading; }, 25s));
    EXPECT_FALSE(a.lock->still_held());
    EXPECT_FALSE(a.leading) << "it knew before the other began";
    EXPECT_LE(*a.lost_at - died, 10s);
    world.clock.advance(30s);
    EXPECT_NE(b.leading, c.leading) << "one of the two";
  }
}

TEST(KubeLease, OutageShorterThanTheDeadlineIsSurvived) {
  LeaseWorld world;
  Contender a(world, "a"), b(world, "b");
  world.clock.advance(10s);
  world.api.fail_next({.client = "a", .times = 3});  // refused at 12, 14, 16 s
  world.clock.advance(7s);
  EXPECT_TRUE(a.leading);
  EXPECT_TRUE(a.lock->still_held());
  world.clock.advance(60s);
  EXPECT_TRUE(a.leading);
  EXPECT_FALSE(b.leading);
}

TEST(KubeLease, OneHungCallDoesNotLoseIt) {
  LeaseWorld world;
  Contender a(world, "a");
  world.clock.advance(10s);
  world.api.fail_next({.method = "PUT", .hang = true});
  world.clock.advance(60s);
  EXPECT_TRUE(a.leading);
}

TEST(KubeLease, WriteWhoseAnswerIsLostIsFoundAgain) {
  LeaseWorld world;
  Contender a(world, "a"), b(world, "b");
  world.api.fail_next({.method = "PUT", .client = "a", .after_effect = true});
  world.clock.advance(60s);
  EXPECT_TRUE(a.leading);
  EXPECT_EQ(world.slow_paths, 1) << "the version had moved";
  EXPECT_EQ(world.spec().at("leaseTransitions"), 0);
}

TEST(KubeLease, FrozenLeaderKnowsBeforeItRunsAHandler) {
  LeaseWorld world;
  Contender a(world, "a"), b(world, "b");
  world.clock.advance(10s);
  ASSERT_TRUE(a.lock->still_held());
  world.api.forget_calls();
  world.clock.freeze(16s);  // nothing has run since
  EXPECT_FALSE(a.lock->still_held());
  world.clock.advance(0s);
  EXPECT_FALSE(a.leading);
  for (const auto& call : world.api.calls()) {
    EXPECT_FALSE(call.client == "a" && call.is_write()) << "it renews nothing after the thaw";
  }
}

TEST(KubeLease, StepsOfTheWallClockChangeNothing) {
  LeaseWorld world;
  Contender a(world, "a"), b(world, "b");
  world.clock.advance(10s);
  for (const Duration step : {Duration(1h), Duration(-2h), Duration(10 * 24h)}) {
    world.clock.step_wall(step);
    EXPECT_TRUE(a.lock->still_held());
    world.clock.advance(60s);
    EXPECT_TRUE(a.leading);
    EXPECT_FALSE(b.leading);
  }
}

TEST(KubeLease, AnotherInItsPlaceEndsItAtOnce) {
  LeaseWorld world;
  Contender a(world, "a");
  world.clock.advance(10s);
  world.take_away();
  world.clock.advance(2s);
  EXPECT_FALSE(a.leading);
  EXPECT_EQ(a.lock->holder(), "thief");
  EXPECT_EQ(world.spec().at("holderIdentity"), "thief");
}

TEST(KubeLease, DeletedLeaseIsMadeAgain) {
  LeaseWorld world;
  Contender a(world, "a");
  world.clock.advance(10s);
  world.api.erase(kube::kLeases, "atq", "atq-director");
  world.clock.advance(10s);
  EXPECT_TRUE(a.leading);
  EXPECT_EQ(world.spec().at("holderIdentity"), "a");
}

TEST(KubeLease, RoleThatComesLaterIsWaitedForAndNamed) {
  LeaseWorld world;
  world.api.fail_next({.times = 5, .status = 403, .reason = "Forbidden"});
  Contender a(world, "a");
  EXPECT_FALSE(a.leading);
  EXPECT_EQ(a.lock->holder(), "");
  ASSERT_EQ(world.notes.size(), 1U);
  EXPECT_NE(world.notes[0].find("lease atq/atq-director: "), std::string::npos);
  world.clock.advance(30s);
  EXPECT_TRUE(a.leading);
  EXPECT_EQ(world.notes.size(), 1U) << "the same complaint once";
}

TEST(KubeLease, WhatOthersWroteIntoTheLeaseStays) {
  LeaseWorld world;
  Contender a(world, "a");
  world.api.put(
      kube::kLeases, "atq",
      {{"kind", "Lease"}, {"metadata", {{"name", "atq-director"}, {"labels", {{"x", "y"}}}}}});
  world.clock.advance(10s);
  EXPECT_TRUE(a.leading);
  const auto lease = *world.api.get(kube::kLeases, "atq", "atq-director");
  EXPECT_EQ(lease.at("metadata").at("labels").at("x"), "y");
}

TEST(KubeLease, HolderOfAForeignRecordIsShownPrintableAndShort) {
  LeaseWorld world;
  world.api.put(kube::kLeases, "atq",
                {{"kind", "Lease"},
                 {"metadata", {{"name", "atq-director"}}},
                 {"spec",
                  {{"holderIdentity", std::string(5000, 'x') + "\x1b[2J"},
                   {"leaseDurationSeconds", 15},
                   {"acquireTime", "yesterday"},
                   {"leaseTransitions", "many"}}}});
  Contender a(world, "a");
  EXPECT_LE(a.lock->holder().size(), 200U);
  world.clock.advance(20s);
  EXPECT_TRUE(a.leading);
}

}  // namespace
}  // namespace atq
