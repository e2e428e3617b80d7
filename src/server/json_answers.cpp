#include "src/server/json_answers.hpp"

#include <nlohmann/json.hpp>

#include "src/base/text.hpp"
#include "src/base/time.hpp"

namespace atq::server {
namespace {

using Json = nlohmann::ordered_json;

/// Foreign bytes may have found their way into a message: they become U+FFFD.
std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

net::Response status_response(int status, std::string_view reason, const std::string& message) {
  const Json body{{"kind", "Status"},
                  {"status", "Failure"},
                  {"reason", reason},
                  {"message", message},
                  {"code", status}};
  return json_response(dump(body) + "\n", status);
}

std::string_view to_string(engine::ChangeType type) noexcept {
  switch (type) {
    case engine::ChangeType::Added:
      return "ADDED";
    case engine::ChangeType::Modified:
      return "MODIFIED";
    case engine::ChangeType::Deleted:
      return "DELETED";
  }
  return "";
}

}  // namespace

int status_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::NotFound:
      return 404;
    case ErrorKind::Conflict:
      return 409;
    case ErrorKind::Gone:
      return 410;
    case ErrorKind::Throttled:
      return 429;
    case ErrorKind::Unauthorized:
      return 401;
    case ErrorKind::Forbidden:
      return 403;
    case ErrorKind::Invalid:
      return 422;
    case ErrorKind::Timeout:
      return 504;
    case ErrorKind::Unavailable:
    case ErrorKind::Canceled:
      return 503;
    case ErrorKind::Internal:
      return 500;
  }
  return 500;
}

net::Response failure(const Error& error) {
  return status_response(status_of(error.kind), atq::to_string(error.kind), error.message);
}

net::Response failure(int status, const std::string& message) {
  std::string reason(net::reason_phrase(status));
  std::erase(reason, ' ');
  return status_response(status, reason, message);
}

net::Response json_response(std::string body, int status) {
  return {.status = status, .content_type = "application/json", .body = std::move(body)};
}

std::string encode_item(const engine::CachedTest& test) {
  Json problems = Json::array();
  for (const api::Problem& problem : test.problems()) {
    problems.push_back({{"path", problem.path},
                        {"message", problem.message},
                        {"rule", problem.rule},
                        {"line", problem.line},
                        {"column", problem.column}});
  }
  return R"({"object":)" + test.json() + R"(,"problems":)" + dump(problems) + "}";
}

std::string encode_listing(const engine::Listing& listing) {
  std::string out = R"({"kind":"LoadTestList","metadata":{"resourceVersion":")" +
                    std::to_string(listing.resource_version) + R"("},"items":[)";
  const char* separator = "";
  for (const auto& item : listing.items) {
    out.append(separator).append(encode_item(*item));
    separator = ",";
  }
  return out + "]}\n";
}

std::string encode_events(const std::vector<engine::RecordedEvent>& events) {
  Json items = Json::array();
  for (const auto& event : events) {
    items.push_back({{"regarding", event.regarding},
                     {"type", event.warning ? "Warning" : "Normal"},
                     {"reason", event.reason},
                     {"message", event.message},
                     {"count", event.count},
                     {"firstTimestamp", to_rfc3339(event.first_at)},
                     {"lastTimestamp", to_rfc3339(event.last_at)}});
  }
  return dump({{"kind", "EventList"}, {"items", std::move(items)}}) + "\n";
}

std::string encode_problems(const std::vector<ports::SourceProblem>& problems) {
  Json items = Json::array();
  for (const auto& problem : problems) {
    items.push_back({{"source", problem.source}, {"message", problem.message}});
  }
  return dump({{"kind", "ProblemList"}, {"items", std::move(items)}}) + "\n";
}

std::string encode_change(const engine::Change& change, const engine::CachedTest* now) {
  const Json head{{"type", to_string(change.type)},
                  {"resourceVersion", std::to_string(change.resource_version)},
                  {"namespace", change.key.ns},
                  {"name", change.key.name},
                  {"uid", change.uid}};
  std::string out = dump(head);
  if (now != nullptr) {
    out.pop_back();
    out += R"(,"object":)" + now->json() + "}";
  }
  return out + "\n";
}

std::string encode_request_value(const std::string& value) {
  return dump({{"request", value}}) + "\n";
}

std::string encode_version() {
  return dump({{"name", "atq-director"}, {"version", ATQ_VERSION}}) + "\n";
}

}  // namespace atq::server
