#include "controller/api/schema.hpp"

#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace atq::api {
namespace {

using nlohmann::json;

json whole() {
  return json::parse(R"({
    "apiVersion": "atq.dev/v1alpha1", "kind": "LoadTest",
    "metadata": {"name": "checkout", "labels": {"a": "b"}},
    "spec": {
      "tool": "locust", "parameters": {"users": "6"},
      "files": [{"inline": {"locustfile.py": "x"}}, {"path": "a"}],
      "worker": {
        "replicas": 3, "onFailure": "Fail", "readiness": {"httpGet": {"port": 80, "path": "/"}},
        "image": "a", "command": ["a", "b"], "tty": true,
        "env": [{"name": "A", "value": "x"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "ports": [{"name": "web", "containerPort": 80, "protocol": "UDP"}],
        "resources": {"limits": {"cpu": "1"}}},
      "healthCheck": {"delaySeconds": 1, "checks": [
        {"name": "a", "http": {"port": 1, "expect": {"status": 200}}, "timeoutSeconds": 3}]},
      "thresholds": ["p95(latency) < 1s"],
      "runPolicy": {"suspend": false, "cleanup": {"policy": "Never"}},
      "swarm": {"subnet": "10.1.0.0/24", "constraints": ["a==b"]},
      "kubernetes": {"worker": {"podTemplate": {"any": [null, {"thing": 1.5}]}}}}})");
}

std::string problems_of(const json& document) { return to_string(check_schema(document)); }

std::string problems_with(const std::string& pointer, const json& value) {
  auto document = whole();
  document[json::json_pointer(pointer)] = value;
  return problems_of(document);
}

TEST(Schema, TakesAWholeDocument) { EXPECT_EQ(problems_of(whole()), ""); }

TEST(Schema, AWholeNumberIsAnIntegerHoweverItIsWritten) {
  for (const char* number : {"3", "3.0", "0.3e1", "30e-1"}) {
    const auto document =
        decode_json(R"({"apiVersion":"atq.dev/v1alpha1","kind":"LoadTest","metadata":{"name":"a"},)"
                    R"("spec":{"worker":{"command":["./load"],"replicas":)" +
                    std::string(number) + "}}}");
    EXPECT_EQ(to_string(document.problems), "") << number;
    EXPECT_EQ(document.test.spec.worker.replicas, 3) << number;
  }
}

TEST(Schema, SaysWhatWasFoundAndExpected) {
  EXPECT_EQ(problems_with("/spec/worker/replicas", "three"),
            "spec.worker.replicas: found string \"three\", expected an integer from 1 to 1000");
  EXPECT_EQ(problems_with("/spec/worker/replicas", 1001),
            "spec.worker.replicas: found 1001, expected an integer from 1 to 1000");
  EXPECT_EQ(problems_with("/spec/worker/replicas", UINT64_MAX),
            "spec.worker.replicas: found 18446744073709551615, expected an integer from 1 to 1000");
  EXPECT_EQ(problems_with("/spec/worker/replicas", 3.5),
            "spec.worker.replicas: found number 3.5, expected an integer from 1 to 1000");
  EXPECT_EQ(problems_with("/spec/parameters/users", 6),
            "spec.parameters.users: found number 6, expected a string; put it in quotes");
  EXPECT_EQ(problems_with("/spec/healthCheck/checks/0/http/prot", 1),
            "spec.healthCheck.checks[0].http.prot: unknown field; did you mean port?");
  EXPECT_EQ(problems_with("/spec/worker", json::array()),
            "spec.worker: found a list, expected an object");
}

TEST(Schema, NamesTheTop) {
  for (const json& document : {json(5), json("x"), json::array(), json(nullptr)}) {
    EXPECT_EQ(check_schema(document).size(), 1U) << document;
    EXPECT_EQ(check_schema(document).front().path, "");
  }
  auto document = whole();
  document["apiVersion"] = "atq.dev/v1";
  document["kind"] = "LoadTests";
  EXPECT_EQ(problems_of(document),
            "apiVersion: found \"atq.dev/v1\", expected atq.dev/v1alpha1\n"
            "kind: found \"LoadTests\", expected LoadTest");
}

TEST(Schema, NeverShowsASecret) {
  for (const json& value : {json(123456), json("x\x01y"), json(std::string(40'000, 's')),
                            json::array({"s3cret"}), json{{"s3cret", 1}}}) {
    const auto text = problems_with("/spec/worker/env/0/value", value);
    EXPECT_EQ(text.find("s3cret"), text.npos) << text;
    EXPECT_EQ(text.find("123456"), text.npos) << text;
    EXPECT_EQ(text.find("ssss"), text.npos) << text;
  }
  EXPECT_EQ(problems_with("/spec/worker/env/0/value", 123456),
            "spec.worker.env[0].value: found a number, expected a string; put it in quotes");
}

TEST(Schema, NullIsAbsentButNotAnItem) {
  EXPECT_EQ(problems_with("/spec/worker/replicas", nullptr), "");
  EXPECT_EQ(problems_with("/spec/parameters/users", nullptr), "");
  EXPECT_EQ(problems_with("/metadata/creationTimestamp", nullptr), "");
  EXPECT_EQ(problems_with("/spec/thresholds/0", nullptr),
            "spec.thresholds[0]: found null, expected a string");
  EXPECT_EQ(problems_with("/spec/worker/ports/0/name", nullptr),
            "spec.worker.ports[0].name: found nothing, expected a lower-case DNS label, such as "
            "web");
  EXPECT_EQ(problems_with("/spec/unknown", nullptr).find("spec.unknown: unknown field"), 0U);
}

TEST(Schema, CountsCharactersNotBytes) {
  std::string name;
  for (int i = 0; i < 253; ++i) name += "ü";
  EXPECT_EQ(problems_with("/spec/runNonce", name), "");
  EXPECT_EQ(problems_with("/spec/runNonce", name + "ü"),
            "spec.runNonce: found 254 characters, expected at most 253");
}

TEST(Schema, BoundsWhatItReports) {
  auto document = whole();
  for (int i = 0; i < 5000; ++i) document["spec"]["field-" + std::to_string(i)] = i;
  const auto problems = check_schema(document);
  ASSERT_EQ(problems.size(), kMaxProblems + 1);
  EXPECT_EQ(to_string(problems.back()), "more problems than the 100 listed; mend these first");
  auto hostile = whole();
  hostile["spec"][std::string(1'000'000, 'k')] = 1;
  hostile["spec"]["tool"] = std::string(1'000'000, 'v');
  hostile["spec"]["runtime"] = "\x1b[31m";
  for (const auto& problem : check_schema(hostile)) {
    EXPECT_LT(problem.path.size() + problem.message.size(), 500U);
    EXPECT_EQ(problem.message.find('\x1b'), std::string::npos);
  }
}

TEST(Schema, LongValuesTakeLinearTime) {
  auto document = whole();
  document["spec"]["worker"]["command"] = json::array({std::string(1'400'000, 'x')});
  document["spec"]["files"][0]["inline"]["locustfile.py"] = std::string(1'400'000, 'x');
  document["metadata"]["name"] = std::string(1'400'000, 'a');
  EXPECT_EQ(check_schema(document).size(), 3U);
}

TEST(Schema, AnnotationsAreBoundedTogether) {
  auto document = whole();
  for (int i = 0; i < 3; ++i) {
    document["metadata"]["annotations"]["a" + std::to_string(i)] = std::string(100'000, 'x');
  }
  EXPECT_EQ(problems_of(document),
            "metadata.annotations: found 300006 bytes in all, expected at most 262144");
}

// ---- against valijson, which knows JSON Schema but none of the messages
// ---------------------------

/// The schema as JSON Schema has it: closed objects, without what is Kubernetes' own.
void to_json_schema(json& node) {
  const bool open = node.value("x-kubernetes-preserve-unknown-fields", false);
  node.erase("format");
  if (node.contains("properties")) {
    if (!open) node["additionalProperties"] = false;
    for (auto& [name, child] : node["properties"].items()) to_json_schema(child);
  }
  if (node.contains("items")) to_json_schema(node["items"]);
  if (node.contains("additionalProperties") && node["additionalProperties"].is_object()) {
    to_json_schema(node["additionalProperties"]);
  }
}

class Valijson {
 public:
  Valijson() {
    auto text = json::parse(schema_json());
    to_json_schema(text);
    text["properties"]["metadata"].erase("additionalProperties");
    text["required"].push_back("metadata");
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::NlohmannJsonAdapter(text), schema_);
  }
  bool takes(const json& document) {
    return validator_.validate(schema_, valijson::adapters::NlohmannJsonAdapter(document), nullptr);
  }

 private:
  valijson::Schema schema_;
  valijson::Validator validator_;
};

/// Every place in a document.
void places_of(const json& value, const std::string& at, std::vector<std::string>& places) {
  places.push_back(at);
  if (!value.is_structured()) return;
  for (const auto& [name, child] : value.items()) places_of(child, at + "/" + name, places);
}

TEST(SchemaProperty, AgreesWithValijsonOnDamagedDocuments) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 engine(seed);
  const auto below = [&](size_t bound) { return engine() % bound; };
  const std::vector<json> values = {0,
                                    -1,
                                    1,
                                    70'000,
                                    "",
                                    "a",
                                    "B b",
                                    true,
                                    1.5,
                                    "UDP",
                                    "Never",
                                    "a==b",
                                    "/x",
                                    "-",
                                    "10m",
                                    json::array(),
                                    json::array({1}),
                                    json::object(),
                                    json{{"x", 1}},
                                    std::string(300, 'a')};
  std::vector<std::string> places;
  places_of(whole()["spec"], "/spec", places);
  Valijson oracle;
  ASSERT_TRUE(oracle.takes(whole()));
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    auto document = whole();
    const auto place = json::json_pointer(places[below(places.size())]);
    if (below(4) == 0 && document[place].is_object()) {
      document[place]["added"] = 1;
    } else if (below(5) == 0 && !place.parent_pointer().empty()) {
      auto& owner = document[place.parent_pointer()];
      if (owner.is_object()) owner.erase(place.back());
    } else {
      document[place] = values[below(values.size())];
    }
    bool taken = true;  // list keys and the kind of a check are not JSON Schema's
    for (const auto& problem : check_schema(document)) {
      const bool ours_alone = problem.rule == "check-one-kind" ||
                              problem.message.find(" again, expected") != std::string::npos;
      taken = taken && ours_alone;
    }
    ASSERT_EQ(taken, oracle.takes(document)) << document.dump(1) << problems_of(document);
    refused += !taken;
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace atq::api
