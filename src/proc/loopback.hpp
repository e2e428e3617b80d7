#pragma once
// Loopback addresses and ports. The whole of 127.0.0.0/8 is bound to `lo`, so any address of it can
// be used without set-up; what must be seen to is that no two of our own use the same.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "src/base/error.hpp"

namespace atq::proc {

/// IPv4 in host order. Invalid where the text is none.
Result<uint32_t> parse_ipv4(std::string_view text);
std::string format_ipv4(uint32_t address);

/// "127.77.0.0/16". Invalid where it is no block inside 127.0.0.0/8 or has bits below the prefix.
struct Block {
  uint32_t base = 0;
  int prefix = 32;
  uint64_t size() const { return uint64_t{1} << (32 - prefix); }
  bool operator==(const Block&) const = default;
};
Result<Block> parse_loopback_block(std::string_view text);

/// A run of neighbouring addresses.
struct AddressRange {
  uint32_t first = 0;
  uint32_t count = 0;
  bool operator==(const AddressRange&) const = default;
};

/// Gives out address ranges that do not overlap.
class AddressPool {
 public:
  explicit AddressPool(Block block) : block_(block) {}

  /// A range of `count`, the same for the same `seed` on an empty pool. Tries others while `usable`
  /// says no. Unavailable where none is left.
  Result<AddressRange> reserve(uint64_t seed, uint32_t count,
                               const std::function<bool(const AddressRange&)>& usable);
  /// Marks a range of an earlier reserve() as used. Overlaps are accepted: it is so already.
  void adopt(const AddressRange& range);
  void release(const AddressRange& range);

 private:
  bool overlaps(const AddressRange& range) const;

  Block block_;
  std::multimap<uint32_t, uint32_t> used_;  // first -> count
};

enum class Transport { Tcp, Udp };

/// True where a socket can be bound now. `address` 0: the wildcard. Exclusive: also TIME_WAIT of an
/// earlier connection counts as in use.
bool can_bind(uint32_t address, uint16_t port, Transport transport, bool exclusive);

/// Gives out port numbers below the kernel's range of ephemeral ports, each on the wildcard.
class PortPool {
 public:
  PortPool();

  /// The first of `width` neighbouring ports, all of them free on the wildcard and on `address`.
  /// Unavailable where none is left.
  Result<uint16_t> reserve(uint64_t seed, uint16_t width, uint32_t address, Transport transport);
  void adopt(uint16_t first, uint16_t width);
  void release(uint16_t first, uint16_t width);

 private:
  uint16_t first_ = 20'000, last_ = 31'999;
  std::multiset<uint16_t> used_;
};

}  // namespace atq::proc
