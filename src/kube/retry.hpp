#pragma once
// When a request is sent again: only where the server says so. Pure. Source: client-go
// rest/with_retry.go.

#include <chrono>
#include <optional>
#include <string_view>

#include "src/net/client.hpp"

namespace atq::kube {

inline constexpr int kMaxAttempts = 10;

/// Seconds of a Retry-After header; nullopt where there is none or it is a date.
std::optional<std::chrono::seconds> retry_after(const net::Headers& headers) noexcept;

/// How long to wait before the next attempt; nullopt: the answer stands. `attempts` have been made.
/// For every method, as a server that asks for it has done nothing.
std::optional<std::chrono::seconds> wait_before_retry(const net::Answer& answer,
                                                      int attempts) noexcept;

}  // namespace atq::kube
