#include "src/kube/status.hpp"

#include <gtest/gtest.h>

#include "src/kube/resource.hpp"

namespace atq::kube {
namespace {

std::string status(int code, std::string_view reason, std::string_view details = "{}") {
  return R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":"told so","reason":")" +
         std::string(reason) + R"(","details":)" + std::string(details) + R"(,"code":)" +
         std::to_string(code) + "}";
}

TEST(Status, code_and_reason_give_the_kind) {
  struct Case {
    int code;
    std::string_view reason;
    ErrorKind kind;
  };
  for (const auto& [code, reason, kind] : {
           Case{400, "BadRequest", ErrorKind::Invalid},
           Case{401, "Unauthorized", ErrorKind::Unauthorized},
           Case{403, "Forbidden", ErrorKind::Forbidden},
           Case{404, "NotFound", ErrorKind::NotFound},
           Case{405, "MethodNotAllowed", ErrorKind::Invalid},
           Case{408, "Timeout", ErrorKind::Timeout},
           Case{409, "AlreadyExists", ErrorKind::Conflict},
           Case{409, "Conflict", ErrorKind::Conflict},
           Case{410, "Expired", ErrorKind::Gone},
           Case{410, "Gone", ErrorKind::Gone},
           Case{413, "RequestEntityTooLarge", ErrorKind::Invalid},
           Case{415, "UnsupportedMediaType", ErrorKind::Invalid},
           Case{422, "Invalid", ErrorKind::Invalid},
           Case{429, "TooManyRequests", ErrorKind::Throttled},
           Case{500, "InternalError", ErrorKind::Unavailable},
           Case{500, "ServerTimeout", ErrorKind::Timeout},
           Case{503, "ServiceUnavailable", ErrorKind::Unavailable},
           Case{504, "Timeout", ErrorKind::Timeout},
       }) {
    const Error error = error_of(code, status(code, reason));
    EXPECT_EQ(error.kind, kind) << code << ' ' << reason;
    EXPECT_EQ(error.message, "told so (" + std::to_string(code) + ' ' + std::string(reason) + ')');
    EXPECT_EQ(error_of_event(status(code, reason)), error);
  }
}

TEST(Status, causes_are_listed_once) {
  const auto body = status(422, "Invalid", R"({"causes":[
      {"reason":"FieldValueRequired","message":"Required value","field":"spec.tool"},
      {"reason":"FieldValueInvalid","message":"told so"}, 7, {}]})");
  EXPECT_EQ(error_of(422, body).message, "told so; spec.tool: Required value (422 Invalid)");
}

TEST(Status, the_header_says_when_to_come_back_before_the_body) {
  const auto body = status(429, "TooManyRequests", R"({"retryAfterSeconds":7})");
  EXPECT_EQ(error_of(429, body).retry_after, std::chrono::seconds{7});
  EXPECT_EQ(error_of(429, body, std::chrono::seconds{3}).retry_after, std::chrono::seconds{3});
  EXPECT_EQ(error_of(429, status(429, "", R"({"retryAfterSeconds":-7})")).retry_after,
            std::nullopt);
}

TEST(Status, too_large_versions_are_known_by_cause_and_by_message) {
  const auto by_cause =
      error_of(504, status(504, "Timeout", R"({"causes":[{"reason":"ResourceVersionTooLarge"}]})"));
  EXPECT_TRUE(is_version_too_large(by_cause)) << by_cause.message;
  const auto by_message = error_of(
      504, R"({"kind":"Status","message":"Timeout: Too large resource version: 9, current: 3",)"
           R"("reason":"Timeout","code":504})");
  EXPECT_TRUE(is_version_too_large(by_message)) << by_message.message;
  EXPECT_FALSE(is_version_too_large(error_of(504, status(504, "Timeout"))));
}

TEST(Status, what_a_proxy_says_is_bounded_and_printable) {
  const Error html = error_of(502, "\n<html>\x1b[31m bad gateway\nsecond line");
  EXPECT_EQ(html.kind, ErrorKind::Unavailable);
  EXPECT_TRUE(html.message.starts_with("found \"<html>")) << html.message;
  EXPECT_FALSE(html.message.contains('\x1b'));
  EXPECT_FALSE(html.message.contains("second"));
  EXPECT_LT(error_of(403, std::string(1 << 20, 'x')).message.size(), 400U);
  const Error missing = error_of(404, "404 page not found\n");
  EXPECT_EQ(missing.kind, ErrorKind::NotFound);
  EXPECT_TRUE(missing.message.contains("installed")) << missing.message;
  EXPECT_EQ(error_of(500, "").kind, ErrorKind::Unavailable);
  EXPECT_EQ(error_of(500, R"({"kind":7,"details":[]})").kind, ErrorKind::Unavailable);
  EXPECT_EQ(error_of_event("[]").kind, ErrorKind::Unavailable);
}

TEST(Status, a_long_message_is_cut) {
  const auto body = R"({"kind":"Status","message":")" + std::string(1 << 20, 'm') + R"("})";
  EXPECT_LT(error_of(422, body).message.size(), 2200U);
}

TEST(Resource, paths) {
  EXPECT_EQ(api_version(kJobs), "batch/v1");
  EXPECT_EQ(api_version(kPods), "v1");
  EXPECT_EQ(path_of(kPods, "", ""), "/api/v1/pods");
  EXPECT_EQ(path_of(kJobs, "load", "a", "status"), "/apis/batch/v1/namespaces/load/jobs/a/status");
  EXPECT_EQ(path_of(kPods, "a/b", "?c"), "/api/v1/namespaces/a%2Fb/pods/%3Fc");
  EXPECT_EQ(with_query("/p", {{"labelSelector", "a=b,c"}, {"limit", ""}, {"watch", "true"}}),
            "/p?labelSelector=a%3Db%2Cc&watch=true");
}

}  // namespace
}  // namespace atq::kube
