#include "src/base/error.hpp"

#include <cerrno>
#include <system_error>

namespace atq {

std::string_view to_string(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::NotFound:
      return "NotFound";
    case ErrorKind::Conflict:
      return "Conflict";
    case ErrorKind::Gone:
      return "Gone";
    case ErrorKind::Throttled:
      return "Throttled";
    case ErrorKind::Unauthorized:
      return "Unauthorized";
    case ErrorKind::Forbidden:
      return "Forbidden";
    case ErrorKind::Invalid:
      return "Invalid";
    case ErrorKind::Timeout:
      return "Timeout";
    case ErrorKind::Unavailable:
      return "Unavailable";
    case ErrorKind::Canceled:
      return "Canceled";
    case ErrorKind::Internal:
      return "Internal";
  }
  return "Internal";
}

std::unexpected<Error> fail_with(std::string_view context, Error error) {
  std::string message(context);
  message += ": ";
  message += error.message;
  return std::unexpected(Error{error.kind, std::move(message), error.retry_after});
}

Error from_errno(int error_number, std::string_view what) {
  ErrorKind kind = ErrorKind::Internal;
  if (error_number == ENOENT || error_number == ESRCH) kind = ErrorKind::NotFound;
  if (error_number == EEXIST) kind = ErrorKind::Conflict;
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    kind = ErrorKind::Forbidden;
  }
  if (error_number == ETIMEDOUT) kind = ErrorKind::Timeout;
  if (error_number == ECONNREFUSED || error_number == EAGAIN || error_number == ENOSPC ||
      error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM) {
    kind = ErrorKind::Unavailable;
  }
  return {kind, std::string(what) + ": " + std::generic_category().message(error_number),
          std::nullopt};
}

}  // namespace atq
