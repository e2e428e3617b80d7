#pragma once
// Errors as values. Every call that can fail for a reason outside the program returns Result<T>;
// exceptions are for programming errors and start-up.

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace atq {

/// What went wrong, as far as a caller may branch on it. A closed set: adding a kind means visiting
/// every switch (-Wswitch-enum is an error).
enum class ErrorKind {
  NotFound,      ///< the thing does not exist
  Conflict,      ///< it exists already, or changed since it was read
  Gone,          ///< the requested history is no longer kept
  Throttled,     ///< asked to come back later
  Unauthorized,  ///< who are you
  Forbidden,     ///< not you
  Invalid,       ///< the input will never be right; do not retry
  Timeout,       ///< no answer in time; the effect is unknown
  Unavailable,   ///< the other side cannot be reached or is not ready
  Canceled,      ///< our side stopped it
  Internal,      ///< a fault of ours
};

/// The kind's name as it stands in logs and JSON, e.g. "NotFound".
std::string_view to_string(ErrorKind kind) noexcept;

/// Lower-case message without a full stop, that says what was found, what was expected and, where
/// it helps, what to do. Never holds a secret.
struct Error {
  ErrorKind kind = ErrorKind::Internal;
  std::string message;
  std::optional<std::chrono::microseconds> retry_after;

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

/// `return fail(ErrorKind::NotFound, "no run 3");`
inline std::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return std::unexpected(Error{kind, std::move(message), std::nullopt});
}

/// The same error with `context: ` before its message.
std::unexpected<Error> fail_with(std::string_view context, Error error);

/// From errno, with what was being done: "open /x: Permission denied".
Error from_errno(int error_number, std::string_view what);

}  // namespace atq
