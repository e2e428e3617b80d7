// A list of 10,000 objects of 5 KB passes through without ever standing in memory.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/kube/reflector_fixture.hpp"

namespace atq::kube {
namespace {

/// VmHWM of /proc/self/status, in KiB.
long peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) {
      return std::stol(line.substr(6));
    }
  }
  return 0;
}

/// Makes one page of many objects as it is read, then a watch that fails.
class EndlessPage final : public Client {
 public:
  Task<Result<std::string>> call(Call) override { co_return fail(ErrorKind::Invalid, "no calls"); }
  Task<Result<void>> stream(Call call, std::function<bool(std::string_view)> sink) override {
    if (call.target.contains("watch=true")) {
      co_return fail(ErrorKind::Canceled, "the end");
    }
    sink(R"({"kind":"ConfigMapList","metadata":{"resourceVersion":"7"},"items":[)");
    for (int i = 0; i < kObjects; ++i) {
      const Json object{{"metadata", {{"name", std::to_string(i)}, {"resourceVersion", "5"}}},
                        {"data", {{"value", std::string(5000, 'x')}}}};
      sink((i == 0 ? "" : ",") + object.dump());
    }
    sink("]}");
    co_return Result<void>{};
  }
  void stop() override {}
  static constexpr int kObjects = 10'000;
};

class CountingSink final : public ObjectSink {
 public:
  void replace_begin() override {}
  void replace_add(nlohmann::json) override { ++added; }
  void replace_end() override { ended = true; }
  void upsert(nlohmann::json) override {}
  void remove(nlohmann::json) override {}
  int added = 0;
  bool ended = false;
};

TEST(ReflectorMemory, a_long_list_is_read_object_by_object) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps freed memory";
#endif
  boost::asio::io_context io;
  EndlessPage client;
  CountingSink sink;
  Reflector reflector(
      io.get_executor(), client, {.resource = kConfigMaps, .streaming_list = false}, sink,
      [](const std::string&) {}, 1);
  const long before = peak_memory();
  boost::asio::co_spawn(io, reflector.run(), [](const std::exception_ptr&, const auto&) {});
  io.run();
  EXPECT_EQ(sink.added, EndlessPage::kObjects);
  EXPECT_TRUE(sink.ended);
  const long grown = peak_memory() - before;
  RecordProperty("grown_kib", static_cast<int>(grown));
  EXPECT_LT(grown, 4 * 1024) << "KiB, of 50 MB";
}

}  // namespace
}  // namespace atq::kube
