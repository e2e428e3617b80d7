#pragma once
// A small random generator for tests: the same numbers from the same seed on every machine (the
// standard's distributions are not). SplitMix64, https://prng.di.unimi.it/splitmix64.c.

#include <cstdint>

#include "src/base/time.hpp"

namespace atq::fakes {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// 0 … bound - 1
  int below(int bound) { return static_cast<int>(next() % static_cast<uint64_t>(bound)); }
  bool percent(int chance) { return below(100) < chance; }
  /// Up to `limit`, in milliseconds.
  Duration up_to(std::chrono::milliseconds limit) {
    return std::chrono::milliseconds{below(static_cast<int>(limit.count()) + 1)};
  }

 private:
  uint64_t state_;
};

}  // namespace atq::fakes
