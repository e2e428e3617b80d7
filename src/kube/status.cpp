#include "src/kube/status.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"

namespace atq::kube {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxMessage = 2048;
constexpr size_t kMaxCauses = 8;
constexpr std::string_view kTooLarge = "ResourceVersionTooLarge";

struct Status {
  int code = 0;
  std::string reason;
  std::string message;
  std::vector<std::string> causes;
  std::vector<std::string> cause_reasons;
  std::optional<std::chrono::seconds> retry_after;
};

std::string text_at(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

int number_at(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_number_integer()) {
    return 0;
  }
  const auto value = it->get<int64_t>();
  return value >= 0 && value <= 1'000'000 ? static_cast<int>(value) : 0;
}

void read_details(const Json& details, Status& status) {
  if (const int seconds = number_at(details, "retryAfterSeconds"); seconds > 0) {
    status.retry_after = std::chrono::seconds(seconds);
  }
  const auto causes = details.find("causes");
  if (causes == details.end() || !causes->is_array()) {
    return;
  }
  for (const Json& cause : *causes) {
    if (!cause.is_object() || status.causes.size() == kMaxCauses) {
      continue;
    }
    const std::string field = text_at(cause, "field");
    const std::string message = text_at(cause, "message");
    status.causes.push_back(field.empty() ? message : field + ": " + message);
    status.cause_reasons.push_back(text_at(cause, "reason"));
  }
}

std::optional<Status> parse_status(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object() || text_at(json, "kind") != "Status") {
    return std::nullopt;
  }
  Status status{.code = number_at(json, "code"),
                .reason = text_at(json, "reason"),
                .message = text_at(json, "message")};
  if (const auto details = json.find("details"); details != json.end() && details->is_object()) {
    read_details(*details, status);
  }
  return status;
}

ErrorKind kind_of(int code, std::string_view reason) {
  if (reason == "ServerTimeout" || reason == "Timeout") {
    return ErrorKind::Timeout;  // ServerTimeout comes with code 500
  }
  switch (code) {
    case 401:
      return ErrorKind::Unauthorized;
    case 403:
      return ErrorKind::Forbidden;
    case 404:
      return ErrorKind::NotFound;
    case 409:
      return ErrorKind::Conflict;
    case 410:
      return ErrorKind::Gone;
    case 429:
      return ErrorKind::Throttled;
    case 408:
    case 504:
      return ErrorKind::Timeout;
    default:
      break;
  }
  return code >= 400 && code < 500 ? ErrorKind::Invalid : ErrorKind::Unavailable;
}

bool says_too_large(const Status& status) {
  return status.message.contains("Too large resource version") ||
         std::ranges::find(status.cause_reasons, kTooLarge) != status.cause_reasons.end();
}

std::string message_of(const Status& status) {
  std::string message = status.message.empty() ? "the API server gives no message" : status.message;
  for (const std::string& cause : status.causes) {
    // The server's message of an invalid object has its causes in it already.
    if (!cause.empty() && !message.contains(cause)) {
      message += "; " + cause;
    }
  }
  message = truncate(to_printable(message), kMaxMessage) + " (" + std::to_string(status.code);
  const std::string reason = says_too_large(status) ? std::string(kTooLarge) : status.reason;
  return message + (reason.empty() ? "" : " " + to_printable(truncate(reason, 64))) + ")";
}

Error to_error(const Status& status) {
  Error error{.kind = kind_of(status.code, status.reason), .message = message_of(status)};
  if (says_too_large(status)) {
    error.kind = ErrorKind::Timeout;
  }
  error.retry_after = status.retry_after;
  return error;
}

/// The first line of what a proxy, or the API server's own router, says in plain text or HTML.
std::string first_line(std::string_view body) {
  const size_t from = body.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) {
    return "no message";
  }
  const std::string_view rest = body.substr(from);
  return '"' + truncate(to_printable(rest.substr(0, rest.find_first_of("\r\n"))), 200) + '"';
}

}  // namespace

Error error_of(int http_status, std::string_view body,
               std::optional<std::chrono::seconds> retry_after) {
  auto status = parse_status(body);
  Error error;
  if (status) {
    status->code = http_status;
    error = to_error(*status);
  } else {
    error.kind = kind_of(http_status, "");
    error.message = "found " + first_line(body) + ", expected a Status of the API server";
    if (http_status == 404) {
      error.message += "; is the kind installed there?";
    }
    error.message += " (" + std::to_string(http_status) + ")";
  }
  if (retry_after) {
    error.retry_after = *retry_after;
  }
  return error;
}

Error error_of_event(std::string_view status_json) {
  const auto status = parse_status(status_json);
  if (!status) {
    return {
        .kind = ErrorKind::Unavailable,
        .message = "found " + first_line(status_json) + " in an ERROR event, expected a Status"};
  }
  return to_error(*status);
}

bool is_version_too_large(const Error& error) noexcept {
  return error.kind == ErrorKind::Timeout && error.message.contains(kTooLarge);
}

}  // namespace atq::kube
