// The reflector and the event recorder against a real API server, the one that KUBECONFIG names
// (hack/lab kubernetes env), in a namespace of their own.
#include "src/kube/reflector.hpp"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/kube/connection.hpp"
#include "src/kube/events.hpp"
#include "src/kube/objects.hpp"
#include "src/kube/status.hpp"
#include "tests/integration/kube/real_api.hpp"
#include "tests/unit/kube/mirror_sink.hpp"

namespace atq::kube {
namespace {

using namespace std::chrono_literals;

constexpr int kObjects = 1500;
constexpr Resource kNamespaces{"", "v1", "namespaces", "Namespace"};

Json config_map(int number, const std::string& value = "first") {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", "c" + std::to_string(number)}, {"labels", {{"of", "test"}}}}},
          {"data", {{"value", value}}}};
}

class RealReflector : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = missing_cluster(); !why.empty()) {
      GTEST_SKIP() << why;
    }
    auto found = connect(loop, {});
    ASSERT_TRUE(found) << found.error().message;
    connection = std::move(*found);
    const Json object{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns}}}};
    Call call{.method = "POST", .target = path_of(kNamespaces, ""), .body = object.dump()};
    const auto made = wait(client().call(std::move(call)));
    ASSERT_TRUE(made) << made.error().message;
  }
  ~RealReflector() override {
    if (connection.client) {
      (void)wait(delete_object(client(), kNamespaces, "", ns));
      connection.client->stop();
      loop.restart();
      loop.run_for(1s);
    }
  }
  Client& client() { return *connection.client; }

  template <class T>
  Result<T> wait(Task<Result<T>> task) {
    std::optional<Result<T>> out;
    boost::asio::co_spawn(
        loop, std::move(task),
        [&out](const std::exception_ptr&, Result<T> result) { out = std::move(result); });
    turn([&out] { return out.has_value(); }, 60s);
    return out ? std::move(*out) : Result<T>(fail(ErrorKind::Internal, "has not ended"));
  }
  bool turn(const std::function<bool()>& until, std::chrono::seconds limit) {
    const auto last = std::chrono::steady_clock::now() + limit;
    while (!until() && std::chrono::steady_clock::now() < last) {
      loop.restart();
      loop.run_one_for(100ms);
    }
    return until();
  }

  /// Eight at a time, as one after the other takes long on a busy machine.
  void create_all() {
    int next = 0;
    int ended = 0;
    std::vector<std::string> problems;
    for (int worker = 0; worker < 8; ++worker) {
      boost::asio::co_spawn(loop, create_some(next, problems),
                            [&ended](const std::exception_ptr&) { ++ended; });
    }
    ASSERT_TRUE(turn([&ended] { return ended == 8; }, 100s));
    ASSERT_TRUE(problems.empty()) << problems.front();
  }
  Task<void> create_some(int& next, std::vector<std::string>& problems) {
    while (next < kObjects) {
      const auto made = co_await create_object(client(), kConfigMaps, ns, config_map(next++));
      if (!made) {
        problems.push_back(made.error().message);
      }
    }
  }

  boost::asio::io_context loop;
  Connection connection;
  // A namespace is still going when the next test begins.
  static inline int number = 0;
  std::string ns = "atq-reflector-" + std::to_string(::getpid()) + '-' + std::to_string(++number);
};

/// A reflector that runs until it is destroyed.
class Running {
 public:
  Running(boost::asio::io_context& loop, Client& client, ListWatch what)
      : loop_(loop),
        reflector(
            loop.get_executor(), client, std::move(what), sink,
            [this](const std::string& note) { notes.push_back(note); }, 1) {
    boost::asio::co_spawn(
        loop, reflector.run(),
        [this](const std::exception_ptr&, Result<void> value) { result = std::move(value); });
  }
  ~Running() {
    reflector.stop();
    loop_.restart();
    const auto last = std::chrono::steady_clock::now() + 5s;
    while (!result && std::chrono::steady_clock::now() < last) {
      loop_.run_one_for(100ms);
    }
    EXPECT_TRUE(result) << "stop() ends an open watch";
  }

 private:
  boost::asio::io_context& loop_;

 public:
  MirrorSink sink;
  std::vector<std::string> notes;
  Reflector reflector;
  std::optional<Result<void>> result;
};

TEST_F(RealReflector, streams_and_pages_1500_objects_and_follows_them) {
  create_all();
  for (const bool streaming : {true, false}) {
    Running running(loop, client(),
                    {.resource = kConfigMaps,
                     .ns = ns,
                     .label_selector = "of=test",
                     .streaming_list = streaming});
    ASSERT_TRUE(turn([&] { return running.reflector.synced(); }, 30s));
    EXPECT_EQ(running.sink.objects.size(), kObjects);
    EXPECT_TRUE(running.notes.empty()) << running.notes.front();
    EXPECT_EQ(running.sink.replaced, 1);
    const auto& any = running.sink.objects.at(ns + "/c7");
    EXPECT_EQ(any.at("kind"), "ConfigMap");
    EXPECT_FALSE(any.at("metadata").contains("managedFields"));

    const std::string value = streaming ? "second" : "third";
    const Json patch{{"data", {{"value", value}}}};
    ASSERT_TRUE(wait(patch_object(client(), kConfigMaps, ns, "c7", "", patch, kMergePatch)));
    const std::string gone = streaming ? "c8" : "c9";
    ASSERT_TRUE(wait(delete_object(client(), kConfigMaps, ns, gone)));
    EXPECT_TRUE(turn(
        [&] {
          return running.sink.objects.at(ns + "/c7")["data"]["value"] == value &&
                 !running.sink.objects.contains(ns + "/" + gone);
        },
        10s));
    ASSERT_TRUE(wait(create_object(client(), kConfigMaps, ns, config_map(streaming ? 8 : 9))));
    EXPECT_TRUE(turn([&] { return running.sink.objects.size() == kObjects; }, 10s));
    EXPECT_EQ(running.reflector.counts().relists, 0U);
  }
}

TEST_F(RealReflector, pages_of_500_are_one_snapshot) {
  create_all();
  // What the machine asks for after a 410: the newest, in pages.
  std::string version;
  std::string token;
  size_t pages = 0;
  size_t items = 0;
  do {
    Call call{.target = with_query(
                  path_of(kConfigMaps, ns),
                  {{"labelSelector", "of=test"}, {"limit", "500"}, {"continue", token}})};
    const auto body = wait(client().call(std::move(call)));
    ASSERT_TRUE(body) << body.error().message;
    const Json list = Json::parse(*body);
    items += list["items"].size();
    EXPECT_TRUE(version.empty() || version == list["metadata"]["resourceVersion"]);
    version = list["metadata"]["resourceVersion"];
    token = list["metadata"].value("continue", "");
    ++pages;
  } while (!token.empty());
  EXPECT_GE(pages, 3U) << "the last may be empty, as the server counts what is not selected";
  EXPECT_EQ(items, kObjects);
}

TEST_F(RealReflector, a_version_of_long_ago_is_gone_in_a_list_and_in_a_watch) {
  std::string events;
  std::function<bool(std::string_view)> sink = [&](std::string_view piece) {
    events += piece;
    return !events.contains('\n');
  };
  const auto watched = wait(client().stream(
      {.target = path_of(kConfigMaps, ns) + "?watch=true&resourceVersion=1&timeoutSeconds=5"},
      sink));
  const bool as_answer = !watched && watched.error().kind == ErrorKind::Gone;
  const bool as_event = watched && events.contains("\"ERROR\"") && events.contains("\"code\":410");
  if (!as_answer && !as_event) {
    GTEST_SKIP() << "this server still has its first version: nothing was compacted";
  }
  SUCCEED() << (as_answer ? "as an answer" : "as an event");
}

TEST_F(RealReflector, a_version_of_the_future_is_too_large) {
  const auto listed =
      wait(client().call({.target = path_of(kConfigMaps, ns) + "?resourceVersion=999999999999"}));
  ASSERT_FALSE(listed);
  EXPECT_TRUE(is_version_too_large(listed.error())) << listed.error().message;
}

TEST_F(RealReflector, a_kind_that_is_not_there_and_is_not_allowed) {
  Running running(loop, client(), {.resource = {"atq.dev", "v1alpha1", "nothings", "Nothing"}});
  ASSERT_TRUE(turn([&] { return running.result.has_value(); }, 10s));
  ASSERT_FALSE(*running.result);
  EXPECT_EQ(running.result->error().kind, ErrorKind::NotFound);
  EXPECT_TRUE(running.result->error().message.contains("installed"))
      << running.result->error().message;
}

TEST_F(RealReflector, events_are_taken_as_written) {
  std::vector<std::string> notes;
  EventRecorder recorder(
      loop.get_executor(), client(), {"atq.dev/director", "test-1"},
      [&](const std::string& note) { notes.push_back(note); }, 1);
  bool ended = false;
  boost::asio::co_spawn(loop, recorder.run(), [&](const std::exception_ptr&) { ended = true; });
  const EventNote note{.regarding = {"v1", "ConfigMap", ns, "c0", "u"},
                       .type = "Warning",
                       .reason = "WorkerLost",
                       .action = "Watch",
                       .note = "worker 1 is gone"};
  recorder.record(note, std::chrono::floor<Duration>(std::chrono::system_clock::now()));
  EXPECT_TRUE(turn([&] { return recorder.counts().written == 1; }, 10s));
  recorder.record(note, std::chrono::floor<Duration>(std::chrono::system_clock::now()));
  EXPECT_TRUE(turn([&] { return recorder.counts().written >= 2 || !notes.empty(); }, 10s));
  EXPECT_TRUE(notes.empty()) << notes.front();
  const auto body = wait(client().call({.target = path_of(kEvents, ns)}));
  ASSERT_TRUE(body);
  const Json items = Json::parse(*body)["items"];
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0]["series"]["count"], 2);
  recorder.stop();
  EXPECT_TRUE(turn([&] { return ended; }, 5s));
}

}  // namespace
}  // namespace atq::kube
