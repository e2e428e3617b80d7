// The commands against a cluster, played by an API server in memory.
#include <nlohmann/json.hpp>

#include "controller/engine/asio_clock.hpp"
#include "src/cli/kube_api_client.hpp"
#include "src/cli/kube_loadtests.hpp"
#include "src/cli/kube_run.hpp"
#include "tests/fakes/kube/fake_api.hpp"
#include "tests/unit/cli/cli_fixture.hpp"

namespace atq::cli {
namespace {

using Json = nlohmann::json;
using namespace std::chrono_literals;

Json as_json(const api::LoadTest& test) {
  Json object = Json::parse(api::encode_json(test));
  object["metadata"].erase("uid");
  object["metadata"].erase("resourceVersion");
  object["metadata"].erase("creationTimestamp");
  object["status"] = Json::parse(api::encode_status(test.status));
  return object;
}

api::LoadTest running_test() {
  api::LoadTest test = test::waiting_test();
  test.metadata.ns = "shop";
  return test;
}

api::LoadTest ended_test(api::Verdict verdict) {
  api::LoadTest test = test::finished_test(verdict);
  test.metadata.ns = "shop";
  test.status.conditions.push_back({.type = api::ConditionType::Finished,
                                    .status = api::ConditionStatus::True,
                                    .reason = std::string(to_string(verdict))});
  return test;
}

class KubeCommands : public testing::Test {
 protected:
  kube::Connection connect() {
    return {.client = api.connect("atq"),
            .ns = "shop",
            .server = "https://lab",
            .source = "context lab"};
  }
  /// A LoadTest as the director has it; gives its uid.
  std::string put(const api::LoadTest& test) {
    return api.put(kLoadTests, test.metadata.ns, as_json(test))["metadata"]["uid"];
  }
  void write_status(const api::LoadTest& test) {
    api.put(kLoadTests, "shop",
            {{"metadata", {{"name", "checkout"}}},
             {"status", Json::parse(api::encode_status(test.status))}});
  }
  void put_pod(const std::string& name, const std::string& uid, const std::string& run,
               const std::string& role, const std::string& index, Json status = {}) {
    Json labels{{"atq.dev/uid", uid}, {"atq.dev/run", run}, {"atq.dev/role", role}};
    labels["batch.kubernetes.io/job-completion-index"] = index;
    Json pod{{"metadata", {{"name", name}, {"labels", labels}}},
             {"spec", {{"containers", {{{"name", "tool"}}}}}}};
    if (!status.is_null()) pod["status"] = std::move(status);
    api.put(kube::kPods, "shop", std::move(pod));
  }
  /// A command's work with streams of its own.
  test::Outcome ask(int (*verb)(ApiClient&, const Command&, Console&), Command command) {
    std::istringstream in;
    std::ostringstream out, err;
    Console console{.in = in, .out = out, .err = err};
    if (command.ns.empty()) command.ns = "shop";
    KubeApiClient client(loop, connect());
    const int code = verb(client, command, console);
    return {code, out.str(), err.str()};
  }
  Json stored(const std::string& name = "checkout") {
    return api.get(kLoadTests, "shop", name).value_or(Json());
  }

  std::shared_ptr<boost::asio::io_context> loop = std::make_shared<boost::asio::io_context>();
  engine::AsioClock clock{*loop};
  fakes::kube::FakeApi api{*loop, clock};
};

TEST_F(KubeCommands, GetListsOneNamespaceOrAll) {
  put(running_test());
  api::LoadTest other = running_test();
  other.metadata.ns = "lab";
  other.metadata.name = "cart";
  put(other);
  const auto own = ask(run_get, {});
  EXPECT_EQ(own.code, 0) << own.err;
  EXPECT_NE(own.out.find("checkout      Workers"), std::string::npos) << own.out;
  EXPECT_EQ(own.out.find("cart"), std::string::npos);
  EXPECT_EQ(ask(run_get, {.output = "name"}).out, "checkout\n");
  EXPECT_EQ(ask(run_get, {.all_namespaces = true, .output = "name"}).out,
            "lab/cart\nshop/checkout\n");
  const auto one = Json::parse(ask(run_get, {.name = "checkout", .output = "json"}).out);
  EXPECT_EQ(one["metadata"]["namespace"], "shop");
  const auto none = ask(run_get, {.name = "chekout"});
  EXPECT_EQ(none.code, 1);
  EXPECT_EQ(none.err, "atq: no LoadTest shop/chekout\n");
}

TEST_F(KubeCommands, GetReadsAllPages) {
  for (int i = 0; i < 501; ++i) {
    api::LoadTest test = running_test();
    test.metadata.name = "t" + std::to_string(i);
    put(test);
  }
  const auto all = ask(run_get, {.output = "name"});
  EXPECT_EQ(std::ranges::count(all.out, '\n'), 501);
  EXPECT_EQ(api.count("GET", "/loadtests"), 2U);
}

TEST_F(KubeCommands, WatchGoesOnOverAnEndAndAnExpiredHistory) {
  put(running_test());
  api.fail_stream({.kind = fakes::kube::StreamFault::Kind::Cut, .path = "/loadtests"});
  api.fail_stream({.kind = fakes::kube::StreamFault::Kind::Status, .path = "/loadtests"});
  KubeApiClient client(loop, connect());
  int told = 0;
  const auto from = client.list("shop");
  ASSERT_TRUE(from);
  write_status(ended_test(api::Verdict::Passed));  // which both faults swallow
  const auto ended = client.watch("shop", from->resource_version, [&](const WatchedChange& change) {
    EXPECT_EQ(change.item.test.metadata.name, "checkout");
    return ++told < 1;
  });
  EXPECT_TRUE(ended) << ended.error().message;
  EXPECT_EQ(told, 1) << "the list after the 410";
  EXPECT_EQ(api.count("WATCH"), 2U);
}

TEST_F(KubeCommands, DescribeShowsTheEventsOfTheObject) {
  const std::string uid = put(running_test());
  const auto event = [&](const std::string& name, const std::string& of, const std::string& note) {
    api.put(kube::kEvents, "shop",
            {{"metadata", {{"name", name}}},
             {"type", "Warning"},
             {"reason", "WorkerLost"},
             {"note", note},
             {"eventTime", "2026-11-21T05:00:05.000000Z"},
             {"series", {{"count", 3}, {"lastObservedTime", "2026-11-21T05:00:09.000000Z"}}},
             {"regarding", {{"uid", of}}}});
  };
  event("a", uid, "worker 1 is lost");
  event("b", "another", "not ours");
  const auto told = ask(run_describe, {.name = "checkout"});
  EXPECT_EQ(told.code, 0) << told.err;
  EXPECT_NE(told.out.find("worker 1 is lost"), std::string::npos) << told.out;
  EXPECT_EQ(told.out.find("not ours"), std::string::npos);
}

TEST_F(KubeCommands, StopNamesTheRunAndTakesNoHardStopBack) {
  put(running_test());
  const auto soft = ask(run_stop, {.name = "checkout"});
  EXPECT_EQ(soft.out, "run 1 of shop/checkout is stopping gracefully\n") << soft.err;
  EXPECT_EQ(stored()["metadata"]["annotations"]["atq.dev/stop"], "1/Graceful");
  EXPECT_EQ(ask(run_stop, {.name = "checkout", .now = true}).code, 0);
  EXPECT_EQ(stored()["metadata"]["annotations"]["atq.dev/stop"], "1/Now");
  EXPECT_EQ(ask(run_stop, {.name = "checkout"}).code, 0);
  EXPECT_EQ(stored()["metadata"]["annotations"]["atq.dev/stop"], "1/Now");
}

TEST_F(KubeCommands, StopIsAConflictWhereNothingRuns) {
  api::LoadTest done = ended_test(api::Verdict::Passed);
  put(done);
  const auto refused = ask(run_stop, {.name = "checkout"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.err, "atq: no run of shop/checkout to stop: run 1 has finished\n");
  EXPECT_EQ(api.count("PATCH"), 0U);
}

TEST_F(KubeCommands, RerunAsksOnceMoreEachTime) {
  put(running_test());
  EXPECT_EQ(ask(run_rerun, {.name = "checkout"}).out,
            "one more run of shop/checkout is asked for\n");
  const std::string first = stored()["metadata"]["annotations"]["atq.dev/rerun"];
  EXPECT_EQ(ask(run_rerun, {.name = "checkout"}).code, 0);
  EXPECT_NE(stored()["metadata"]["annotations"]["atq.dev/rerun"], first);
  const auto none = ask(run_rerun, {.name = "other"});
  EXPECT_EQ(none.err, "atq: no LoadTest shop/other\n");
}

TEST_F(KubeCommands, LogsFindThePodOfTheRun) {
  const std::string uid = put(running_test());
  put_pod("w0", uid, "1", "worker", "0");
  put_pod("w1", uid, "1", "worker", "1");
  put_pod("old", uid, "7", "worker", "1");
  put_pod("probe", uid, "1", "probe", "0");
  ASSERT_EQ(ask(run_logs, {.name = "checkout", .worker = 1, .tail = 20}).code, 0);
  const auto& call = api.calls().back();
  EXPECT_TRUE(call.target.starts_with("/api/v1/namespaces/shop/pods/w1/log?container=tool&"))
      << call.target;
  EXPECT_NE(call.target.find("tailLines=20"), std::string::npos);
  const auto none = ask(run_logs, {.name = "checkout", .worker = 5});
  EXPECT_EQ(none.err, "atq: run 1 of shop/checkout has no pod of worker 5\n");
  const auto gone = ask(run_logs, {.name = "checkout", .worker = 0, .run = 3});
  EXPECT_EQ(gone.err,
            "atq: run 3 of shop/checkout has left no logs: it was cleaned up or never began\n");
}

TEST_F(KubeCommands, WithoutTheKindSayWhatIsMissing) {
  const Error error = explain(
      {ErrorKind::NotFound, "the server could not find the requested resource (404 NotFound)", {}});
  EXPECT_NE(error.message.find("install ATQ Director there"), std::string::npos);
}

/// `atq run --kubernetes`, with the director's part played by the test.
class KubeRuns : public KubeCommands {
 protected:
  KubeRuns() {
    request.test.metadata.name = "checkout";
    request.test.spec.tool = "custom";
    options.patience = 500ms;
  }
  /// What the director writes when the LoadTest appears.
  void director(std::function<void(const Json&)> plays) {
    api.on_write([this, plays = std::move(plays)](const fakes::kube::Change& change) {
      if (change.key.collection.ends_with("loadtests") &&
          change.type != fakes::kube::Change::Type::Deleted && !playing) {
        playing = true;
        plays(*change.after);
        playing = false;
      }
    });
  }
  Result<RunOutcome> run() {
    auto made = make_kube_run(*loop, connect(), request, options);
    if (!made) return std::unexpected(made.error());
    session = std::move(*made);
    Result<RunOutcome> out = fail(ErrorKind::Internal, "has not ended");
    boost::asio::co_spawn(*loop, session->run([this](const api::LoadTest& test) {
      seen.push_back(test.status.phase);
      if (on_status) on_status();
    }),
                          [&](const std::exception_ptr& thrown, Result<RunOutcome> result) {
                            if (!thrown) out = std::move(result);
                            loop->stop();
                          });
    loop->restart();
    loop->run_for(20s);
    return out;
  }

  RunRequest request;
  KubeRunOptions options;
  std::unique_ptr<RunSession> session;
  std::vector<api::Phase> seen;
  std::function<void()> on_status;
  bool playing = false;
};

TEST_F(KubeRuns, ApplyFollowAndDelete) {
  director([this](const Json& object) {
    if (!object.contains("status")) {
      write_status(running_test());
    } else if (object["status"].value("phase", "") == "Workers") {
      write_status(ended_test(api::Verdict::Passed));
    }
  });
  const auto outcome = run();
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->test.status.verdict, api::Verdict::Passed);
  EXPECT_EQ(outcome->test.metadata.ns, "shop") << "the context's namespace";
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), api::Phase::Finished);
  EXPECT_TRUE(stored().is_null());
  const auto applied = std::ranges::find(api.calls(), "PATCH", &fakes::kube::RecordedCall::method);
  ASSERT_NE(applied, api.calls().end());
  EXPECT_EQ(applied->content_type, kube::kApplyPatch);
}

TEST_F(KubeRuns, KeepLeavesTheLoadTest) {
  request.keep = true;
  director([this](const Json& object) {
    if (!object.contains("status")) write_status(ended_test(api::Verdict::Passed));
  });
  ASSERT_TRUE(run());
  EXPECT_FALSE(stored().is_null());
}

TEST_F(KubeRuns, OneThatExistedIsRunOnceMoreAndStays) {
  api::LoadTest before = ended_test(api::Verdict::Failed);
  put(before);
  director([this](const Json& object) {
    const auto annotations = object["metadata"].value("annotations", Json::object());
    if (annotations.contains("atq.dev/rerun")) {
      api::LoadTest next = ended_test(api::Verdict::Passed);
      next.status.run.number = 2;
      write_status(next);
    }
  });
  const auto outcome = run();
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->test.status.run.number, 2);
  EXPECT_FALSE(stored().is_null());
}

TEST_F(KubeRuns, DoesNotDisturbARunUnderWay) {
  put(running_test());
  const auto outcome = run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::Conflict);
  EXPECT_EQ(api.count("PATCH"), 0U);
  EXPECT_FALSE(stored().is_null());
}

TEST_F(KubeRuns, AFailedRunTellsWhatItsPodsSaid) {
  director([this](const Json& object) {
    if (object.contains("status")) return;
    put_pod("w1", object["metadata"]["uid"], "1", "worker", "1",
            Json::parse(R"({"containerStatuses":[{"name":"tool","state":{"terminated":
                {"exitCode":3,"reason":"OOMKilled"}}}]})"));
    write_status(ended_test(api::Verdict::Failed));
  });
  const auto outcome = run();
  ASSERT_TRUE(outcome) << outcome.error().message;
  ASSERT_EQ(outcome->failed.size(), 1U);
  EXPECT_EQ(outcome->failed[0].index, 1);
  EXPECT_NE(outcome->failed[0].how.find("OOMKilled"), std::string::npos) << outcome->failed[0].how;
}

TEST_F(KubeRuns, StopIsAskedOfTheRunGracefullyThenNow) {
  director([this](const Json& object) {
    if (!object.contains("status")) write_status(running_test());
    const std::string stop =
        object["metadata"].value("annotations", Json::object()).value("atq.dev/stop", "");
    if (stop == "1/Graceful") session->request_stop(true);
    if (stop == "1/Now") write_status(ended_test(api::Verdict::Aborted));
  });
  on_status = [this, asked = false]() mutable {
    if (!std::exchange(asked, true)) session->request_stop(false);
  };
  const auto outcome = run();
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(outcome->test.status.verdict, api::Verdict::Aborted);
  EXPECT_TRUE(stored().is_null());
}

TEST_F(KubeRuns, AStopBeforeAnyRunTakesTheLoadTestBack) {
  director([this](const Json&) { session->request_stop(false); });
  options.patience = 10s;
  const auto outcome = run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::Canceled) << outcome.error().message;
  EXPECT_TRUE(stored().is_null());
}

TEST_F(KubeRuns, ARefusedLoadTestEndsAtOnce) {
  director([this](const Json& object) {
    if (object.contains("status")) return;
    api::LoadTest refused = running_test();
    refused.status = {};
    refused.status.conditions = {{.type = api::ConditionType::Accepted,
                                  .status = api::ConditionStatus::False,
                                  .observed_generation = object["metadata"]["generation"],
                                  .reason = "Invalid",
                                  .message = "spec.thresholds[0]: no"}};
    write_status(refused);
  });
  const auto outcome = run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message, "the director refuses shop/checkout: spec.thresholds[0]: no");
  EXPECT_TRUE(stored().is_null());
}

TEST_F(KubeRuns, LocalFilesAreRefused) {
  request.test.spec.files = {{.path = "plan.jmx"}};
  const auto outcome = run();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::Invalid);
  EXPECT_TRUE(outcome.error().message.starts_with("spec.files[0].path: "))
      << outcome.error().message;
}

TEST(WatchLinesTest, TakeEventsInAnyPieces) {
  const std::string text =
      R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"5"}}})"
      "\n"
      R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})"
      "\n";
  WatchLines lines;
  std::vector<std::string> types;
  for (const char sign : text) {
    const auto events = lines.feed(std::string_view(&sign, 1));
    ASSERT_TRUE(events);
    for (const auto& event : *events) types.push_back(event.type);
  }
  EXPECT_EQ(types, (std::vector<std::string>{"ADDED"}));
  EXPECT_EQ(lines.version(), "9");
  EXPECT_EQ(WatchLines()
                .feed(R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})"
                      "\n")
                .error()
                .kind,
            ErrorKind::Gone);
  EXPECT_EQ(WatchLines().feed("no json\n").error().kind, ErrorKind::Invalid);
}

TEST(ClusterOptions, AreTakenBeforeAndAfterTheCommand) {
  for (const auto& arguments : {std::vector<std::string>{"--context", "lab", "get"},
                                std::vector<std::string>{"get", "--context", "lab"}}) {
    const auto line = parse_command_line(arguments);
    ASSERT_TRUE(line.command) << line.output;
    EXPECT_EQ(line.command->context, "lab");
    EXPECT_TRUE(line.command->cluster());
    EXPECT_EQ(line.command->ns, "");
  }
  EXPECT_FALSE(parse_command_line({"get"}).command->cluster());
  EXPECT_TRUE(parse_command_line({"run", "x.yaml", "--kubernetes"}).command->cluster());
  EXPECT_EQ(parse_command_line({"run", "x.yaml", "-k", "-n", "shop"}).command->ns, "shop");
}

TEST(ClusterOptions, AnUnknownKubeconfigIsSaidSo) {
  const auto none = test::atq({"get", "--kubeconfig", "/nonexistent/config"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("/nonexistent/config"), std::string::npos) << none.err;
  const auto local = test::atq({"get", "--data", "/nonexistent"});
  EXPECT_NE(local.err.find("--context"), std::string::npos) << local.err;
}

}  // namespace
}  // namespace atq::cli
