#include <charconv>

#include <nlohmann/json.hpp>

#include "src/net/http.hpp"
#include "tests/fakes/kube/api_state.hpp"

namespace atq::fakes::kube {

std::string ApiRequest::parameter(const std::string& key) const {
  const auto it = query.find(key);
  return it == query.end() ? std::string() : it->second;
}

std::optional<ApiRequest> parse_call(const atq::kube::Call& call) {
  auto target = net::parse_target(call.target);
  if (!target) {
    return std::nullopt;
  }
  const auto& parts = target->segments;
  ApiRequest request{.method = call.method, .content_type = call.content_type, .body = call.body};
  request.query = std::move(target->query);
  const bool core = parts.size() >= 3 && parts[0] == "api";
  const bool grouped = parts.size() >= 4 && parts[0] == "apis";
  if (!core && !grouped) {
    return std::nullopt;
  }
  size_t at = core ? 1 : 2;
  const std::string group = core ? "" : parts[1];
  request.api_version = core ? parts[at] : group + '/' + parts[at];
  ++at;
  if (parts[at] == "namespaces" && parts.size() > at + 2) {
    request.ns = parts[at + 1];
    at += 2;
  }
  request.collection = group + '/' + parts[at++];
  request.name = at < parts.size() ? parts[at++] : "";
  request.subresource = at < parts.size() ? parts[at++] : "";
  return at == parts.size() ? std::optional(std::move(request)) : std::nullopt;
}

std::string status_text(int code, std::string_view reason, std::string_view message,
                        int retry_after_seconds, std::string_view cause) {
  Json status{{"kind", "Status"},          {"apiVersion", "v1"}, {"metadata", Json::object()},
              {"status", "Failure"},       {"message", message}, {"reason", reason},
              {"details", Json::object()}, {"code", code}};
  if (retry_after_seconds > 0) {
    status["details"]["retryAfterSeconds"] = retry_after_seconds;
  }
  if (!cause.empty()) {
    status["details"]["causes"] = Json::array({{{"reason", cause}, {"message", message}}});
  }
  return status.dump();
}

}  // namespace atq::fakes::kube
