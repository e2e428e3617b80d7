#pragma once
// A reflector of ConfigMaps against the fake server, in virtual time.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/fakes/kube/clock_timing.hpp"
#include "tests/unit/kube/kube_fixture.hpp"
#include "tests/unit/kube/mirror_sink.hpp"

namespace atq::kube {

using Json = nlohmann::json;

struct ReflectorRig {
  explicit ReflectorRig(ListWatch what, uint64_t seed = 1)
      : reflector(
            io.get_executor(), *client, std::move(what), sink,
            [this](const std::string& note) { notes.push_back(note); }, seed,
            std::make_shared<fakes::kube::ClockTiming>(clock)) {}
  ~ReflectorRig() {
    if (running) {
      stop();
    }
  }

  void start() {
    running = true;
    auto done = [this](const std::exception_ptr& thrown, Result<void> value) {
      if (thrown) {
        std::rethrow_exception(thrown);
      }
      running = false;
      result = std::move(value);
    };
    boost::asio::co_spawn(io, reflector.run(), std::move(done));
    clock.settle();
  }
  void stop() {
    reflector.stop();
    clock.settle();
    EXPECT_FALSE(running) << "stop() ends it without time passing";
  }
  void put(const std::string& name, const std::string& value, Json labels = Json::object()) {
    api.put(kConfigMaps, "a",
            {{"metadata", {{"name", name}, {"labels", std::move(labels)}}},
             {"data", {{"value", value}}}});
  }
  bool agree() const {
    if (!reflector.synced() || sink.replacement) {
      return false;
    }
    size_t on_server = 0;
    for (const auto& [key, object] : api_objects()) {
      const auto it = sink.objects.find(key.ns + '/' + key.name);
      if (key.collection == "/configmaps" && (it == sink.objects.end() || it->second != *object)) {
        return false;
      }
      on_server += key.collection == "/configmaps" ? 1 : 0;
    }
    return on_server == sink.objects.size();
  }
  bool agrees_within(Duration limit) {
    return clock.advance_until([this] { return agree(); }, limit);
  }

  const fakes::kube::ApiState::Objects& api_objects() const { return api.state().objects(); }

  boost::asio::io_context io;
  fakes::VirtualClock clock{io};
  fakes::kube::FakeApi api{io, clock};
  std::unique_ptr<Client> client = api.connect();
  MirrorSink sink;
  std::vector<std::string> notes;
  Reflector reflector;
  bool running = false;
  std::optional<Result<void>> result;
};

}  // namespace atq::kube
