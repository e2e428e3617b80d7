#include <gtest/gtest.h>

#include "controller/api/codec.hpp"
#include "src/base/text.hpp"
#include "tests/unit/api/samples.hpp"

namespace atq::api {
namespace {

TEST(Encode, GoesThereAndBackWithEveryField) {
  const LoadTest test = samples::full();
  const std::string json = encode_json(test);
  const auto back = decode_trusted(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->metadata, test.metadata);
  EXPECT_EQ(back->spec, test.spec);
  EXPECT_EQ(back->status, test.status);
  EXPECT_EQ(encode_json(*back), json);
}

TEST(Encode, GoesThereAndBackWithDefaultsOnly) {
  const LoadTest test;
  const std::string json = encode_json(test);
  const auto back = decode_trusted(json);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, test);
  EXPECT_EQ(json.find("\"status\""), std::string::npos);
}

TEST(Encode, GoesThereAndBackWithEachPartAlone) {
  const LoadTest test = samples::full();
  const auto spec = decode_spec(encode_spec(test.spec));
  ASSERT_TRUE(spec);
  EXPECT_EQ(*spec, test.spec);
  const auto status = decode_status(encode_status(test.status));
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, test.status);
  EXPECT_EQ(*decode_status(encode_status({})), LoadTestStatus{});
}

TEST(Encode, KeepsAnEmptyMasterAndAnEmptyReadiness) {
  LoadTestSpec spec;
  spec.master.emplace();
  spec.worker.readiness.emplace();
  EXPECT_EQ(*decode_spec(encode_spec(spec)), spec);
}

TEST(Encode, WritesTheSchemasNames) {
  const std::string json = encode_json(samples::full());
  for (const std::string_view part :
       {R"({"apiVersion":"atq.dev/v1alpha1","kind":"LoadTest","metadata":{"name":"checkout",)",
        R"("valueFrom":{"secretKeyRef":{"name":"credentials","key":"token"}})",
        R"({"name":"dns","containerPort":53,"protocol":"UDP","publishedPort":30053})",
        R"({"configMap":{"name":"plans"}},{"secret":{"secretName":"keys"}})",
        R"("http":{"port":8080,"path":"/ready","expect":{"status":204,"body":"ok|fine"}})",
        R"("imagePullSecrets":[{"name":"registry"},{"name":"other"}])",
        R"("cleanup":{"policy":"Never","afterSeconds":9})", R"("start":{"skewMicroseconds":3100})",
        R"("latencyMicroseconds":{"p50":1000,"p95":181000,"p99":250000,"max":0})"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part << "\nin " << json;
  }
}

TEST(Encode, WritesTimesInMilliseconds) {
  LoadTestStatus status;
  status.run.number = 1;
  status.run.started_at = TimePoint{std::chrono::microseconds{1'795'240'000'123'456}};
  const std::string json = encode_status(status);
  const auto back = decode_status(json);
  EXPECT_EQ(*back->run.started_at, TimePoint{std::chrono::milliseconds{1'795'240'000'123}});
  EXPECT_EQ(encode_status(*back), json);
}

TEST(Encode, ReplacesForeignBytesThatAreNoText) {
  LoadTestStatus status;
  status.message = "worker 1: \xff\xfe\x01 \"x\"";
  const auto back = decode_status(encode_status(status));
  ASSERT_TRUE(back);
  EXPECT_TRUE(is_clean_utf8(back->message));
  EXPECT_NE(back->message.find("\"x\""), std::string::npos);
}

TEST(Encode, EscapesControlSigns) {
  LoadTestStatus status;
  status.message = std::string("a\x01\x1f\t\n\r\"\\\x7f", 9);
  EXPECT_EQ(decode_status(encode_status(status))->message, status.message);
}

LoadTestStatus huge_status() {
  LoadTestStatus status = samples::status();
  status.message = std::string(5000, 'm');
  for (Condition& condition : status.conditions) condition.message = std::string(3000, '"');
  for (int i = 0; i < 64; ++i) {
    status.thresholds.push_back({.expr = std::string(300, 'e'), .value = std::string(99, 'v')});
    status.artifacts.push_back({.name = "n", .url = std::string(900, 'u')});
  }
  status.workers.addresses.assign(kMaxAddresses, "fd00:1234:5678:9abc:def0:1234:5678:9abc");
  return status;
}

TEST(EncodeStatus, StaysBelowItsBoundAndKeepsWhatIsReadBack) {
  const LoadTestStatus status = huge_status();
  const std::string json = encode_status(status);
  EXPECT_LT(json.size(), kMaxStatusBytes);
  const auto back = decode_status(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->run, status.run);
  EXPECT_EQ(back->history, status.history);
  EXPECT_EQ(back->summary, status.summary);
  ASSERT_EQ(back->conditions.size(), kConditionCount);
  for (size_t i = 0; i < kConditionCount; ++i) {
    EXPECT_EQ(back->conditions[i].status, status.conditions[i].status);
    EXPECT_EQ(back->conditions[i].reason, status.conditions[i].reason);
  }
  EXPECT_EQ(encode_status(*back), json);
}

TEST(EncodeStatus, CutsLongMessagesFirst) {
  LoadTestStatus status = samples::status();
  for (Condition& condition : status.conditions) condition.message = std::string(900, 'x');
  const auto back = decode_status(encode_status(status));
  EXPECT_EQ(back->thresholds, status.thresholds);
  EXPECT_EQ(back->workers, status.workers);
  EXPECT_LE(back->conditions[0].message.size(), 512U);
  EXPECT_GE(back->conditions[0].message.size(), 250U);
}

TEST(DecodeTrusted, SaysWhatWasFound) {
  for (const std::string_view text : {"", "{", "[]", "null", "{\"spec\":", "\xff"}) {
    const auto result = decode_trusted(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().kind, ErrorKind::Invalid);
    EXPECT_NE(result.error().message.find("expected a JSON object"), std::string::npos);
  }
}

TEST(DecodeTrusted, KeepsDefaultsWhereTypesAreWrong) {
  const auto test = decode_trusted(
      R"({"spec":{"worker":{"replicas":"x","ports":[7,{"containerPort":99999999999}]},
          "master":[],"thresholds":[1,"a"],"runPolicy":null},"status":{"phase":"Nope"}})");
  ASSERT_TRUE(test);
  EXPECT_EQ(test->spec.worker.replicas, 1);
  ASSERT_EQ(test->spec.worker.role.ports.size(), 1U);
  EXPECT_EQ(test->spec.worker.role.ports[0].port, 0);
  EXPECT_FALSE(test->spec.master);
  EXPECT_EQ(test->spec.thresholds, std::vector<std::string>{"a"});
  EXPECT_EQ(test->status.phase, Phase::Pending);
}

TEST(SpecHash, IgnoresNonceAndSuspendOnly) {
  LoadTestSpec spec = samples::full().spec;
  const std::string hash = spec_hash(spec);
  spec.run_nonce = "2";
  spec.run_policy.suspend = false;
  EXPECT_EQ(spec_hash(spec), hash);
  spec.run_policy.stop_grace_seconds += 1;
  EXPECT_NE(spec_hash(spec), hash);
  spec.run_policy.stop_grace_seconds -= 1;
  spec.parameters["threads"] = "51";
  EXPECT_NE(spec_hash(spec), hash);
}

TEST(Names, OfVerdictsHaveTheirExitCodes) {
  EXPECT_EQ(exit_code(Verdict::Passed), 0);
  EXPECT_EQ(exit_code(Verdict::Failed), 99);
  EXPECT_EQ(exit_code(Verdict::NoData), 98);
  EXPECT_EQ(exit_code(Verdict::Error), 97);
  EXPECT_EQ(exit_code(Verdict::None), 97);
  EXPECT_EQ(exit_code(Verdict::Aborted), 105);
  EXPECT_EQ(to_string(Key{"a", "b"}), "a/b");
}

}  // namespace
}  // namespace atq::api
