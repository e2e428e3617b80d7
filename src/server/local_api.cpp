#include "src/server/local_api.hpp"

#include <charconv>

#include <nlohmann/json.hpp>

#include "src/server/json_answers.hpp"
#include "src/server/streams.hpp"

namespace atq::server {
namespace {

using net::BodyWriter;
using net::Request;
using net::Response;
using net::Target;
using net::Task;

/// A parameter's number from 0 to `max`, `otherwise` where it is absent.
Result<int64_t> number(const Target& target, const std::string& name, int64_t otherwise,
                       int64_t max) {
  const auto found = target.query.find(name);
  if (found == target.query.end()) {
    return otherwise;
  }
  int64_t value = 0;
  const char* const end = found->second.data() + found->second.size();
  const auto parsed = std::from_chars(found->second.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < 0 || value > max) {
    return fail(ErrorKind::Invalid, "parameter " + name + ": found \"" + found->second +
                                        "\", expected a number from 0 to " + std::to_string(max));
  }
  return value;
}

std::string text(const Target& target, const std::string& name, std::string otherwise = {}) {
  const auto found = target.query.find(name);
  if (found == target.query.end()) return otherwise;
  return found->second;
}

Result<LogQuery> read_log_query(const api::Key& key, const Target& target) {
  LogQuery query{.key = key, .run = 0, .options = {}};
  const std::string role = text(target, "role", "master");
  if (role != "worker" && role != "master") {
    return fail(ErrorKind::Invalid,
                "parameter role: found \"" + role + "\", expected worker or master");
  }
  query.options.role = role == "worker" ? core::Role::Worker : core::Role::Master;
  const std::string follow = text(target, "follow", "false");
  if (follow != "true" && follow != "false") {
    return fail(ErrorKind::Invalid,
                "parameter follow: found \"" + follow + "\", expected true or false");
  }
  query.options.follow = follow == "true";
  const auto index = number(target, "index", 0, 999);
  const auto tail = number(target, "tail", 0, 1'000'000);
  const auto run = number(target, "run", 0, INT64_MAX);
  for (const auto* value : {&index, &tail, &run}) {
    if (!*value) {
      return std::unexpected(value->error());
    }
  }
  query.options.index = static_cast<int>(*index);
  query.options.tail_lines = static_cast<size_t>(*tail);
  query.run = *run;
  return query;
}

/// {"mode": "Graceful" | "Now"}; an empty body is Graceful. True for Now.
Result<bool> read_stop_mode(const std::string& body) {
  if (body.empty()) {
    return false;
  }
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object() && json.size() == 1 && json.contains("mode")) {
    if (json["mode"] == "Graceful" || json["mode"] == "Now") {
      return json["mode"] == "Now";
    }
  }
  return fail(ErrorKind::Invalid, R"(expected the body {"mode": "Graceful"} or {"mode": "Now"})");
}

Response not_found(const api::Key& key) {
  return failure(
      {ErrorKind::NotFound, "there is no LoadTest " + api::to_string(key), std::nullopt});
}

Response method_not_allowed(std::string_view allowed) {
  Response response = failure(405, "expected " + std::string(allowed));
  response.headers.push_back({"Allow", std::string(allowed)});
  return response;
}

class LocalApi {
 public:
  explicit LocalApi(engine::Operations& operations) : operations_(operations) {}

  Task<Response> handle(Request request, BodyWriter& writer) {
    const auto target = net::parse_target(request.target);
    if (!target) {
      co_return failure(400, target.error().message);
    }
    const auto& path = target->segments;
    if (path.size() >= 4 && path[0] == "v1" && path[1] == "loadtests") {
      Response response = co_await handle_test(request, *target, writer);
      co_return response;
    }
    const bool watch = path == std::vector<std::string>{"v1", "watch"};
    if (watch && request.method == "GET") {
      Response response = co_await handle_watch(*target, writer);
      co_return response;
    }
    co_return handle_collection(request, *target);
  }

 private:
  Response handle_collection(const Request& request, const Target& target) {
    using Path = std::vector<std::string>;
    std::function<std::string()> answer;
    if (target.segments == Path{"v1", "loadtests"}) {
      answer = [&] { return encode_listing(operations_.list(text(target, "namespace"))); };
    } else if (target.segments == Path{"v1", "problems"}) {
      answer = [&] { return encode_problems(operations_.problems()); };
    } else if (target.segments == Path{"version"}) {
      answer = encode_version;
    } else if (target.segments != Path{"v1", "watch"}) {
      return failure(404, "there is no " + request.target);
    }
    return request.method == "GET" && answer ? json_response(answer()) : method_not_allowed("GET");
  }

  Task<Response> handle_watch(const Target& target, BodyWriter& writer) {
    const auto from =
        number(target, "resourceVersion",
               static_cast<int64_t>(operations_.list("-").resource_version), INT64_MAX);
    if (!from) {
      co_return failure(from.error());
    }
    WatchQuery query{.ns = text(target, "namespace"), .from = static_cast<uint64_t>(*from)};
    Response response = co_await stream_changes(operations_, std::move(query), writer);
    co_return response;
  }

  Task<Response> handle_test(const Request& request, const Target& target, BodyWriter& writer) {
    const api::Key key{target.segments[2], target.segments[3]};
    const std::string verb = target.segments.size() > 4 ? target.segments[4] : "";
    const bool reads = verb.empty() || verb == "events" || verb == "logs";
    if (target.segments.size() > 5 || (!reads && verb != "stop" && verb != "rerun")) {
      co_return failure(404, "there is no " + request.target);
    }
    if (request.method != (reads ? "GET" : "POST")) {
      co_return method_not_allowed(reads ? "GET" : "POST");
    }
    const auto test = operations_.get(key);
    if (!test) {
      co_return not_found(key);
    }
    if (verb == "logs") {
      auto query = read_log_query(key, target);
      if (!query) {
        co_return failure(query.error());
      }
      Response response = co_await stream_logs(operations_, std::move(*query), writer);
      co_return response;
    }
    if (!reads) {
      Response response = co_await handle_request(verb, key, request.body);
      co_return response;
    }
    co_return json_response(verb.empty() ? encode_item(*test) + "\n"
                                         : encode_events(operations_.events(test->uid())));
  }

  Task<Response> handle_request(std::string verb, api::Key key, std::string body) {
    Result<std::string> value = std::string();
    if (verb == "rerun") {
      value = co_await operations_.request_rerun(key);
    } else {
      const auto now = read_stop_mode(body);
      if (!now) {
        co_return failure(now.error());
      }
      value = co_await operations_.request_stop(key, *now);
    }
    if (!value) {
      co_return failure(value.error());
    }
    co_return json_response(encode_request_value(*value), 202);
  }

  engine::Operations& operations_;
};

Task<Response> answer_probe(std::shared_ptr<const Probes> probes, Request request) {
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (request.method != "GET" && request.method != "HEAD") {
    co_return method_not_allowed("GET, HEAD");
  }
  if (path == "/metrics") {
    co_return Response{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                       .body = probes->metrics()};
  }
  if (path == "/healthz") {
    const bool good = probes->healthy();
    co_return Response{.status = good ? 200 : 503, .body = good ? "ok\n" : "not healthy\n"};
  }
  if (path == "/readyz") {
    const std::string why = probes->not_ready();
    co_return Response{.status = why.empty() ? 200 : 503,
                       .body = why.empty() ? "ok\n" : "not ready: " + why + "\n"};
  }
  co_return failure(404, "there is no " + path + ": expected /metrics, /healthz or /readyz");
}

}  // namespace

net::Handler make_local_api(engine::Operations& operations) {
  const auto api = std::make_shared<LocalApi>(operations);
  return [api](Request request, BodyWriter& writer) {
    return api->handle(std::move(request), writer);
  };
}

net::Handler make_probe_api(Probes probes) {
  const auto shared = std::make_shared<const Probes>(std::move(probes));
  return
      [shared](Request request, BodyWriter&) { return answer_probe(shared, std::move(request)); };
}

net::ServerOptions server_options(std::function<void(const std::string&)> on_error) {
  net::ServerOptions options;
  options.on_error = std::move(on_error);
  options.error_response = [](int status, const std::string& message) {
    return failure(status, message);
  };
  return options;
}

}  // namespace atq::server
