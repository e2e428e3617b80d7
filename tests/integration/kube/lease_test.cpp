// The lease against a real API server: the conformance suite, and leaders that die or freeze. Each
// test has a Lease of its own in the namespace default.
#include <csignal>
#include <ctime>
#include <list>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/engine/asio_clock.hpp"
#include "src/kube/resource.hpp"
#include "src/locks/kube_lease/kube_lease.hpp"
#include "tests/conformance/lock_suite.hpp"
#include "tests/integration/kube/real_api.hpp"

namespace atq {
namespace {

using namespace std::chrono_literals;

std::string lease_path(const std::string& name) {
  return kube::path_of(kube::kLeases, "default", name);
}

std::unique_ptr<locks::KubeLease> make_lease(boost::asio::io_context& io, ports::Clock& clock,
                                             kube::Client& client, const std::string& name,
                                             const std::string& identity) {
  return std::make_unique<locks::KubeLease>(
      io, clock, client,
      locks::KubeLeaseOptions{.ns = "default", .name = name, .identity = identity, .seed = 7});
}

/// Contenders for one Lease, in real time.
class LeaseWorld {
 public:
  LeaseWorld() {
    if (const auto missing = kube::missing_cluster(); !missing.empty()) {
      [&] { GTEST_SKIP() << missing; }();
      return;
    }
    api = std::make_unique<kube::RealApi>();
  }
  ~LeaseWorld() {
    for (auto& connection : connections_) connection.client->stop();
    io_.restart();
    io_.run_for(200ms);
    if (api) (void)api->call({.method = "DELETE", .target = lease_path(name)});
  }

  std::unique_ptr<ports::LeaderLock> make() {
    connections_.push_back(kube::connect(io_, {}).value());
    return make_lease(io_, clock_, *connections_.back().client, name,
                      "director-" + std::to_string(connections_.size()));
  }
  void turn() {
    io_.restart();
    io_.run_for(4500ms);
  }
  void take_away() {
    api->must({.method = "PATCH",
               .target = lease_path(name),
               .content_type = std::string(kube::kMergePatch),
               .body = R"({"spec": {"holderIdentity": "thief"}})"});
  }
  boost::asio::io_context& io() { return io_; }

  std::unique_ptr<kube::RealApi> api;
  const std::string name =
      "atq-test-" + std::to_string(::getpid()) + "-" +
      std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());

 private:
  boost::asio::io_context io_;
  engine::AsioClock clock_{io_};
  std::list<kube::Connection> connections_;
};

}  // namespace

namespace conformance {
INSTANTIATE_TYPED_TEST_SUITE_P(RealApiServer, LockSuite, LeaseWorld);
}  // namespace conformance

namespace {

int64_t now_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1'000;
}

/// What a leader in a process of its own does: each 20 ms that it believes to lead it says so, with
/// the time at which it looked.
[[noreturn]] void lead(const std::string& name, int out) {
  boost::asio::io_context io{1};
  engine::AsioClock clock(io);
  auto connection = kube::connect(io, {});
  if (!connection) ::_exit(2);
  auto lease = make_lease(io, clock, *connection->client, name, "frozen");
  bool over = false;
  const auto life = [&]() -> Task<void> {
    auto acquiring = lease->acquire();
    (void)co_await std::move(acquiring);
    auto losing = lease->lost();
    co_await std::move(losing);
    over = true;
  };
  boost::asio::co_spawn(io, life, [](std::exception_ptr) {});
  while (!over) {
    io.restart();
    io.run_for(20ms);
    const int64_t looked = now_us();
    if (lease->still_held() && ::write(out, &looked, sizeof looked) < 0) ::_exit(3);
  }
  ::_exit(1);  // as a director does
}

/// All that the leader has said so far.
int64_t last_said(int in) {
  int64_t last = 0;
  for (int64_t one = 0; ::read(in, &one, sizeof one) == sizeof one;) last = one;
  return last;
}

class OtherLeader : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (const auto missing = kube::missing_cluster(); !missing.empty()) GTEST_SKIP() << missing;
    ASSERT_EQ(::pipe2(pipe_, O_NONBLOCK | O_CLOEXEC), 0);
    child_ = ::fork();
    if (child_ == 0) lead(world_.name, pipe_[1]);
    ::close(pipe_[1]);
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (last_said(pipe_[0]) == 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "no leader";
      ::usleep(20'000);
    }
  }
  void TearDown() override {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
      ::close(pipe_[0]);
    }
  }

  LeaseWorld world_;
  int pipe_[2] = {-1, -1};
  pid_t child_ = -1;
};

TEST_P(OtherLeader, IsReplacedIn25SecondsAndNeverWritesAgain) {
  auto lock = world_.make();
  std::optional<int64_t> led_at;
  boost::asio::co_spawn(world_.io(), lock->acquire(), [&](std::exception_ptr, Result<bool>) {
    led_at = now_us();
    world_.io().stop();
  });
  world_.io().run_for(3s);
  ASSERT_FALSE(led_at);
  EXPECT_EQ(lock->holder(), "frozen");
  const int64_t before = last_said(pipe_[0]);
  EXPECT_GT(before, 0);

  const int64_t stopped_at = now_us();
  ASSERT_EQ(::kill(child_, GetParam()), 0);
  world_.io().restart();
  world_.io().run_for(25s);
  ASSERT_TRUE(led_at) << "nobody leads 25 s after the leader stopped";
  RecordProperty("failover_ms", static_cast<int>((*led_at - stopped_at) / 1000));
  std::printf("failover after %.1f s\n", static_cast<double>(*led_at - stopped_at) / 1e6);
  last_said(pipe_[0]);
  if (GetParam() == SIGSTOP) {
    ASSERT_EQ(::kill(child_, SIGCONT), 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child_, &status, 0), child_);
  child_ = -1;
  EXPECT_EQ(last_said(pipe_[0]), 0) << "it believed to lead while another did";
  if (GetParam() == SIGSTOP) {
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << status;
  }
  lock->stop();
  world_.turn();
}

INSTANTIATE_TEST_SUITE_P(Lease, OtherLeader, ::testing::Values(SIGKILL, SIGSTOP),
                         [](const auto& each) {
                           return each.param == SIGKILL ? "Killed" : "Frozen";
                         });

TEST(RealLease, CleanStopHandsOverWithinFiveSeconds) {
  LeaseWorld world;
  if (!world.api) return;
  auto first = world.make();
  auto second = world.make();
  std::optional<int64_t> led_at;
  bool first_leads = false;
  boost::asio::co_spawn(world.io(), first->acquire(),
                        [&](std::exception_ptr, Result<bool> led) { first_leads = led && *led; });
  world.turn();
  ASSERT_TRUE(first_leads);
  boost::asio::co_spawn(world.io(), second->acquire(),
                        [&](std::exception_ptr, Result<bool>) { led_at = now_us(); });
  world.turn();
  ASSERT_FALSE(led_at);
  const int64_t stopped_at = now_us();
  first->stop();
  world.turn();
  ASSERT_TRUE(led_at);
  EXPECT_LT(*led_at - stopped_at, 5'000'000);
  second->stop();
  world.turn();
}

}  // namespace
}  // namespace atq
