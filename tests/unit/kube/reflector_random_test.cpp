// Whatever happens to lists and watches: once the faults stop, the sink has what the server has,
// and no object ever goes back in time. ATQ_SEED plays one schedule again.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "tests/fakes/model/random.hpp"
#include "tests/unit/kube/reflector_fixture.hpp"

namespace atq::kube {
namespace {

using namespace std::chrono_literals;
using fakes::Random;
using fakes::kube::Fault;
using fakes::kube::StreamFault;

constexpr uint64_t kSchedules = 2000;
constexpr int kSteps = 20;

void write_something(ReflectorRig& rig, Random& random) {
  const std::string name = "c" + std::to_string(random.below(6));
  if (random.percent(30)) {
    rig.api.erase(kConfigMaps, "a", name);
  } else {
    rig.put(name, std::to_string(random.next()));
  }
}

void break_something(ReflectorRig& rig, Random& random) {
  struct Answer {
    int status;
    const char* reason;
  };
  constexpr Answer kAnswers[] = {{0, ""},
                                 {410, "Expired"},
                                 {429, "TooManyRequests"},
                                 {500, "InternalError"},
                                 {503, "ServiceUnavailable"},
                                 {504, "Timeout"}};
  using Kind = StreamFault::Kind;
  constexpr Kind kKinds[] = {Kind::Cut,     Kind::Reset,     Kind::HalfFrame,
                             Kind::Silent,  Kind::Duplicate, Kind::Late,
                             Kind::Garbage, Kind::Unknown,   Kind::Status};
  switch (random.below(7)) {
    case 0: {
      const auto& [status, reason] = kAnswers[random.below(std::size(kAnswers))];
      return rig.api.fail_next({.method = random.percent(50) ? "GET" : "WATCH",
                                .times = 1 + random.below(4),
                                .status = status,
                                .reason = reason,
                                .retry_after_seconds = random.below(3)});
    }
    case 1:
    case 2: {
      const auto& [status, reason] = kAnswers[1 + random.below(std::size(kAnswers) - 1)];
      return rig.api.fail_stream({.kind = kKinds[random.below(std::size(kKinds))],
                                  .times = 1 + random.below(3),
                                  .after_events = static_cast<size_t>(random.below(4)),
                                  .status = status,
                                  .reason = reason});
    }
    case 3:
      rig.api.state().set_cache_lag(static_cast<uint64_t>(random.below(6)));
      return;
    case 4:
      rig.api.state().compact(rig.api.state().version());
      return;
    case 5:
      rig.api.partition("test", random.percent(50));
      return;
    default:
      rig.api.set_streaming_lists(random.percent(70));
      return;
  }
}

void heal(ReflectorRig& rig) {
  rig.api.clear_faults();
  rig.api.state().set_cache_lag(0);
  rig.api.set_streaming_lists(true);
  rig.api.partition("test", false);
}

void play(uint64_t seed) {
  SCOPED_TRACE("ATQ_SEED=" + std::to_string(seed));
  Random random(seed);
  ReflectorRig rig({.resource = kConfigMaps, .streaming_list = random.percent(50)}, seed);
  rig.api.set_piece_bytes(static_cast<size_t>(random.percent(60) ? 0 : 1 + random.below(300)));
  rig.api.set_bookmark_every(random.percent(50) ? 0s : 2min);
  for (int i = random.below(4); i > 0; --i) {
    write_something(rig, random);
  }
  rig.start();
  for (int step = 0; step < kSteps; ++step) {
    if (random.percent(60)) {
      write_something(rig, random);
    }
    if (random.percent(30)) {
      break_something(rig, random);
    }
    rig.clock.advance(random.percent(80) ? random.up_to(3s) : random.up_to(800s));
  }
  heal(rig);
  // The longest way back: a silent watch (605 s), a wait (60 s, or what a server asked for), a
  // list.
  ASSERT_TRUE(rig.agrees_within(20min)) << (rig.notes.empty() ? "" : rig.notes.back());
  ASSERT_TRUE(rig.running);
  write_something(rig, random);
  ASSERT_TRUE(rig.agrees_within(20min));
  rig.stop();
  ASSERT_TRUE(rig.result && *rig.result);
}

TEST(ReflectorRandom, the_sink_equals_the_server_once_faults_stop) {
  if (const char* seed = std::getenv("ATQ_SEED")) {
    return play(std::strtoull(seed, nullptr, 10));
  }
  for (uint64_t seed = 1; seed <= kSchedules; ++seed) {
    play(seed);
    if (HasFailure()) {
      std::printf("the schedule of seed %llu failed\n", static_cast<unsigned long long>(seed));
      return;
    }
  }
}

}  // namespace
}  // namespace atq::kube
