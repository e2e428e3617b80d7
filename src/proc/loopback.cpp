#include "src/proc/loopback.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fstream>
#include <netinet/in.h>
#include <sys/socket.h>

#include "src/base/text.hpp"
#include "src/proc/fd.hpp"

namespace atq::proc {

Result<uint32_t> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) {
    return fail(ErrorKind::Invalid, "found \"" + truncate(to_printable(text), 80) +
                                        "\", expected an IPv4 address such as 127.77.0.1");
  }
  return ntohl(address.s_addr);
}

std::string format_ipv4(uint32_t address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    if (shift != 24) text += '.';
    text += std::to_string((address >> shift) & 0xff);
  }
  return text;
}

Result<Block> parse_loopback_block(std::string_view text) {
  const size_t slash = text.find('/');
  const auto base = parse_ipv4(text.substr(0, slash));
  if (!base) return std::unexpected(base.error());
  int prefix = 0;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (error != std::errc() || end != digits.data() + digits.size()) prefix = 0;
  }
  const bool aligned = prefix >= 8 && prefix <= 30 && (*base & ((1U << (32 - prefix)) - 1)) == 0;
  if (!aligned || *base >> 24 != 127) {
    return fail(ErrorKind::Invalid, "found \"" + truncate(to_printable(text), 80) +
                                        "\", expected a block inside 127.0.0.0/8 such as "
                                        "127.77.0.0/16");
  }
  return Block{*base, prefix};
}

Result<AddressRange> AddressPool::reserve(uint64_t seed, uint32_t count,
                                          const std::function<bool(const AddressRange&)>& usable) {
  // Steps of 8 keep small runs from fragmenting the block; .0 and .255 of the block stay unused.
  constexpr uint32_t kStep = 8;
  const uint64_t room = block_.size() - 2;
  if (count == 0 || count > room) {
    return fail(ErrorKind::Unavailable,
                std::to_string(count) + " addresses asked for, " + format_ipv4(block_.base) + "/" +
                    std::to_string(block_.prefix) + " has " + std::to_string(room));
  }
  const uint64_t slots = (room - count) / kStep + 1;
  for (uint64_t turn = 0; turn < slots; ++turn) {
    const auto slot = static_cast<uint32_t>((seed + turn) % slots);
    const AddressRange range{block_.base + 1 + slot * kStep, count};
    if (overlaps(range) || !usable(range)) continue;
    adopt(range);
    return range;
  }
  return fail(ErrorKind::Unavailable,
              "no " + std::to_string(count) + " neighbouring addresses are free in " +
                  format_ipv4(block_.base) + "/" + std::to_string(block_.prefix));
}

void AddressPool::adopt(const AddressRange& range) { used_.emplace(range.first, range.count); }

void AddressPool::release(const AddressRange& range) {
  const auto [begin, end] = used_.equal_range(range.first);
  const auto found =
      std::find_if(begin, end, [&range](const auto& entry) { return entry.second == range.count; });
  if (found != end) used_.erase(found);
}

bool AddressPool::overlaps(const AddressRange& range) const {
  return std::any_of(used_.begin(), used_.end(), [&range](const auto& entry) {
    return entry.first < range.first + range.count && range.first < entry.first + entry.second;
  });
}

bool can_bind(uint32_t address, uint16_t port, Transport transport, bool exclusive) {
  const int kind = transport == Transport::Tcp ? SOCK_STREAM : SOCK_DGRAM;
  const UniqueFd fd(::socket(AF_INET, kind | SOCK_CLOEXEC, 0));
  if (!fd) return false;
  const int reuse = exclusive ? 0 : 1;
  // UDP has no TIME_WAIT, and there the option would let two share a port.
  if (transport == Transport::Tcp) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  }
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(address);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) != 0) return false;
  return transport == Transport::Udp || ::listen(fd.get(), 1) == 0;
}

PortPool::PortPool() {
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  int low = 0;
  if (range >> low && low > 12'000 && low < 32'000) {
    first_ = static_cast<uint16_t>(std::max(1'024, low - 12'000));
    last_ = static_cast<uint16_t>(low - 1);
  }
}

Result<uint16_t> PortPool::reserve(uint64_t seed, uint16_t width, uint32_t address,
                                   Transport transport) {
  const auto is_free = [&](uint16_t port) {
    return !used_.contains(port) && can_bind(0, port, transport, true) &&
           can_bind(address, port, transport, true);
  };
  const auto slots = static_cast<uint32_t>(last_ - first_ + 2 - width);
  for (uint32_t turn = 0; turn < slots; ++turn) {
    const auto port = static_cast<uint16_t>(first_ + (seed + turn) % slots);
    bool usable = true;
    for (uint16_t i = 0; usable && i < width; ++i) {
      usable = is_free(static_cast<uint16_t>(port + i));
    }
    if (!usable) continue;
    adopt(port, width);
    return port;
  }
  return fail(ErrorKind::Unavailable,
              "no free port between " + std::to_string(first_) + " and " + std::to_string(last_));
}

void PortPool::adopt(uint16_t first, uint16_t width) {
  for (uint16_t i = 0; i < width; ++i) used_.insert(static_cast<uint16_t>(first + i));
}

void PortPool::release(uint16_t first, uint16_t width) {
  for (uint16_t i = 0; i < width; ++i) {
    const auto found = used_.find(static_cast<uint16_t>(first + i));
    if (found != used_.end()) used_.erase(found);
  }
}

}  // namespace atq::proc
