#include "src/kube/retry.hpp"

#include <charconv>

namespace atq::kube {

std::optional<std::chrono::seconds> retry_after(const net::Headers& headers) noexcept {
  const std::string_view text = net::find_header(headers, "Retry-After");
  int seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

std::optional<std::chrono::seconds> wait_before_retry(const net::Answer& answer,
                                                      int attempts) noexcept {
  const bool asks = answer.status == 429 || (answer.status >= 500 && answer.status < 600);
  return asks && attempts < kMaxAttempts ? retry_after(answer.headers) : std::nullopt;
}

}  // namespace atq::kube
