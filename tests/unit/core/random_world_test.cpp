// The state machine against random worlds. ATQ_WORLDS says how many (default 100,000), ATQ_SEED
// the first seed (default: from the clock); world number i has seed ATQ_SEED + i, so that one world
// alone is played again by ATQ_SEED=<its seed> ATQ_WORLDS=1.

#include <chrono>
#include <cstdlib>
#include <iostream>

#include <gtest/gtest.h>

#include "tests/fakes/model/simulation.hpp"

namespace atq::fakes {
namespace {

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string story_of(uint64_t seed) {
  Simulation again(seed);
  again.keep_story();
  again.play();
  std::string text;
  for (const std::string& line : again.story()) text += line + "\n";
  for (const std::string& violation : again.violations()) text += "BROKEN: " + violation + "\n";
  return text;
}

TEST(RandomWorld, KeepsItsInvariants) {
  const uint64_t clock =
      static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) %
      1'000'000'000;
  const uint64_t first = from_environment("ATQ_SEED", clock);
  const uint64_t worlds = from_environment("ATQ_WORLDS", 100'000);
  std::cout << "seed " << first << ", " << worlds << " worlds\n";
  uint64_t passes = 0;
  uint64_t runs = 0;
  std::map<api::Verdict, uint64_t> verdicts;
  int broken = 0;
  for (uint64_t i = 0; i < worlds; ++i) {
    Simulation world(first + i);
    if (!world.play()) {
      ADD_FAILURE() << "ATQ_SEED=" << first + i << " ATQ_WORLDS=1\n" << story_of(first + i);
      if (++broken == 3) break;
    }
    passes += static_cast<uint64_t>(world.stats().passes);
    runs += static_cast<uint64_t>(world.stats().runs);
    ++verdicts[world.stats().last];
  }
  std::cout << passes << " passes, " << runs << " runs";
  for (const auto& [verdict, count] : verdicts) {
    std::cout << ", " << (verdict == api::Verdict::None ? "none" : api::to_string(verdict)) << " "
              << count;
  }
  std::cout << "\n";
  // A test that meets only one kind of end tests nothing.
  if (worlds >= 1'000) {
    EXPECT_EQ(verdicts.size(), 6U);
  }
}

}  // namespace
}  // namespace atq::fakes
