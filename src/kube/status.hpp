#pragma once
// What an answer of the API server that is no success means to us. Pure. Sources:
// kubernetes/apimachinery pkg/api/errors/errors.go and pkg/apis/meta/v1/types.go (StatusReason).

#include <chrono>
#include <optional>
#include <string_view>

#include "src/base/error.hpp"

namespace atq::kube {

/// `body` is a Status object, or whatever a proxy in between says. The message is the server's with
/// its causes, bounded and printable, and ends with "(409 AlreadyExists)".
///   404 NotFound; 409 Conflict (AlreadyExists too); 410 Gone (Expired too); 429 Throttled;
///   401 Unauthorized; 403 Forbidden (an exceeded quota too); 408, 504 and ServerTimeout Timeout;
///   other 5xx Unavailable, as the API server's own faults are worth another try; other 4xx
///   Invalid.
/// retry_after: `retry_after` (the header), else the Status' details.retryAfterSeconds.
Error error_of(int http_status, std::string_view body,
               std::optional<std::chrono::seconds> retry_after = std::nullopt);

/// The same for the Status in an ERROR event of a watch, whose code counts. Text that is no Status
/// is Unavailable.
Error error_of_event(std::string_view status_json);

/// The server has not yet seen the resourceVersion that was asked for: list without one.
bool is_version_too_large(const Error& error) noexcept;

}  // namespace atq::kube
