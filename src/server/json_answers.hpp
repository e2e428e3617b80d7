#pragma once
// The JSON that the local API answers with (docs/local-api.md). Pure.

#include <string>
#include <vector>

#include "controller/engine/operations.hpp"
#include "src/net/http.hpp"

namespace atq::server {

/// 404 for NotFound, and so on.
int status_of(ErrorKind kind) noexcept;

/// {kind: "Status", status: "Failure", reason, message, code}; the reason is the error's kind.
net::Response failure(const Error& error);
/// For what HTTP itself refuses (400, 405, 431 …).
net::Response failure(int status, const std::string& message);

net::Response json_response(std::string body, int status = 200);

/// {"kind": "LoadTestList", "metadata": {"resourceVersion": "12"}, "items": [item…]}
std::string encode_listing(const engine::Listing& listing);
/// {"object": <LoadTest>, "problems": [{path, message, rule, line, column}]}
std::string encode_item(const engine::CachedTest& test);
std::string encode_events(const std::vector<engine::RecordedEvent>& events);
std::string encode_problems(const std::vector<ports::SourceProblem>& problems);
/// A line of the watch, with its line feed; `now` is the object as it is, null if it is gone.
std::string encode_change(const engine::Change& change, const engine::CachedTest* now);
/// {"request": "4/Graceful"}
std::string encode_request_value(const std::string& value);
std::string encode_version();

}  // namespace atq::server
