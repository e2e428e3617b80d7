// Input that means harm or went wrong: it is reported, costs little, and disturbs no other test.
#include <cstdlib>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/stores/directory/fixture.hpp"

namespace atq::stores::directory {
namespace {

namespace fs = std::filesystem;

class Hostile : public DirectoryTest {
 protected:
  /// Starts with a good test beside what is there, and sees that it is undisturbed.
  void start_beside_good() {
    write_file(file("good.yaml"), yaml_of("good"));
    const auto started = std::chrono::steady_clock::now();
    start();
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
    ASSERT_NE(find("good"), nullptr);
    EXPECT_TRUE(find("good")->problems.empty());
    write_file(file("good.yaml"), yaml_of("good", 3));
    EXPECT_TRUE(sees([&] { return find("good")->test.spec.worker.replicas == 3; }));
  }
  /// Message for the file; "" where there is none.
  std::string message(const std::string& source) {
    for (const auto& problem : sink().source_problems) {
      if (problem.source == source) return problem.message;
    }
    return {};
  }
};

/// Resident memory of this process now.
size_t resident_bytes() {
  size_t size = 0;
  size_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(Hostile, HugeFileIsNotEvenRead) {
  std::string filler;
  filler.resize(10'000'000, '#');
  write_file(file("huge.yaml"), yaml_of("huge") + filler);
  start_beside_good();
  EXPECT_EQ(message("huge.yaml").find("has 100"), 0U) << message("huge.yaml");
  EXPECT_NE(message("huge.yaml").find("expected at most 1500000"), std::string::npos);
}

TEST_F(Hostile, DeepNestingAndAnchorBombs) {
  write_file(file("deep.yaml"), yaml_of("deep") + "  parameters: " + std::string(10'000, '[') +
                                    std::string(10'000, ']') + "\n");
  std::string indented = yaml_of("indented") + "  x:\n";
  for (size_t i = 0; i < 1'500; ++i) indented += std::string(4 + i, ' ') + "x:\n";
  write_file(file("indented.yaml"), indented);
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int j = 0; j < 8; ++j) bomb += ", " + last;
    bomb += "]\n";
  }
  write_file(file("bomb.yaml"), yaml_of("bomb") + bomb);
  const size_t before = resident_bytes();
  start_beside_good();
  EXPECT_LT(resident_bytes(), before + 200'000'000);
  for (const auto* name : {"deep.yaml", "indented.yaml", "bomb.yaml"}) {
    EXPECT_NE(message(name), "") << name;
  }
  EXPECT_EQ(sink().objects.size(), 1U);
}

TEST_F(Hostile, NulBytesAndForeignEncodings) {
  write_file(file("nul.yaml"), yaml_of("nul") + std::string("\0\0", 2));
  write_file(file("latin1.yaml"), yaml_of("latin1") + "# caf\xE9\n");
  write_file(file("utf16.yaml"), std::string("\xFF\xFE"
                                             "a\0:\0",
                                             6));
  start_beside_good();
  EXPECT_EQ(message("nul.yaml"), "line 7: holds a NUL byte or what is not UTF-8");
  EXPECT_EQ(message("latin1.yaml"), "line 7: holds a NUL byte or what is not UTF-8");
  EXPECT_EQ(message("utf16.yaml"), "line 1: holds a NUL byte or what is not UTF-8");
}

TEST_F(Hostile, FifosSocketsFoldersAndDevicesAreNeverOpened) {
  ASSERT_EQ(::mkfifo(file("fifo.yaml").c_str(), 0644), 0);
  fs::create_directories(file("folder.yaml"));
  const int sock = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = file("sock.yaml").string();
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(sock, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  fs::create_symlink("/dev/zero", file("zero.yaml"));
  start_beside_good();
  ::close(sock);
  EXPECT_EQ(message("fifo.yaml"), "is a FIFO, expected a regular file");
  EXPECT_EQ(message("sock.yaml"), "is a socket, expected a regular file");
  EXPECT_EQ(message("zero.yaml"),
            "symbolic link leads out of the folder and is not followed; copy the file");
  ASSERT_EQ(::mkfifo(file("later.yaml").c_str(), 0644), 0);
  EXPECT_TRUE(sees([&] { return !message("later.yaml").empty(); }));
}

TEST_F(Hostile, LinksLeadNowhereOutside) {
  const fs::path outside = fixture_.folder().parent_path() / "outside";
  fs::create_directories(outside);
  write_file(outside / "out.yaml", yaml_of("out"));
  fs::create_symlink(outside / "out.yaml", file("absolute.yaml"));
  fs::create_symlink("../outside/out.yaml", file("relative.yaml"));
  fs::create_symlink("none.yaml", file("dangling.yaml"));
  fs::create_symlink("loop.yaml", file("loop.yaml"));
  fs::create_symlink(outside, file("folder"));
  write_file(file("real.yml"), yaml_of("inside"));
  fs::rename(file("real.yml"), file("real.txt"));
  fs::create_symlink("real.txt", file("inside.yaml"));
  start_beside_good();
  const std::string out =
      "symbolic link leads out of the folder and is not followed; copy the file";
  EXPECT_EQ(message("absolute.yaml"), out);
  EXPECT_EQ(message("relative.yaml"), out);
  EXPECT_EQ(message("dangling.yaml"), "symbolic link to a file that does not exist");
  EXPECT_NE(message("loop.yaml"), "");
  EXPECT_EQ(message("folder"), "symbolic link to a folder; it is not followed");
  EXPECT_EQ(find("out"), nullptr);
  EXPECT_NE(find("inside"), nullptr) << "a link within the folder is fine";
}

TEST_F(Hostile, StrangeNames) {
  write_file(file("caf\xE9.yaml"), yaml_of("latin"));
  write_file(file("new\nline.yaml"), yaml_of("newline"));
  fs::create_directories(file("Not A Namespace"));
  write_file(file("Not A Namespace/a.yaml"), yaml_of("a"));
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "d/";
  fs::create_directories(file(deep));
  start_beside_good();
  EXPECT_EQ(sink().objects.size(), 2U);
  EXPECT_NE(find("newline"), nullptr);
  EXPECT_NE(sink().problem("not UTF-8"), nullptr);
  EXPECT_NE(sink().problem("which is no valid name"), nullptr);
  EXPECT_NE(sink().problem("lies deeper than 8 folders"), nullptr);
}

TEST_F(Hostile, MoreTestsThanAreKept) {
  fixture_.options().max_tests = 50;
  fixture_.options().scan.max_sources = 60;
  fixture_.restart();
  for (int i = 0; i < 100; ++i) {
    const std::string name = "t" + std::to_string(1'000 + i);
    write_file(file(name + ".yaml"), yaml_of(name));
  }
  start();
  EXPECT_EQ(sink().objects.size(), 50U);
  EXPECT_NE(sink().problem("there are more than 50"), nullptr);
  EXPECT_NE(sink().problem("has 40 YAML files more than the 60"), nullptr);
  EXPECT_LE(sink().source_problems.size(), 101U);
  // What is known stays, wherever new names sort.
  for (int i = 0; i < 60; ++i) {
    const std::string name = "a" + std::to_string(1'000 + i);
    write_file(file(name + ".yaml"), yaml_of(name));
  }
  restart();
  EXPECT_EQ(sink().objects.size(), 50U);
  for (const auto& [key, stored] : sink().objects) {
    EXPECT_TRUE(key.name.starts_with("t")) << key.name;
    EXPECT_FALSE(stored.test.metadata.deletion_timestamp.has_value());
  }
}

TEST_F(Hostile, AHundredThousandFiles) {
  const int count = std::getenv("ATQ_LONG") != nullptr ? 100'000 : 20'000;
  fixture_.options().scan.max_sources = 1'000;
  fixture_.options().scan.max_entries = static_cast<size_t>(count) / 2;
  fixture_.restart();
  for (int i = 0; i < count; ++i) {
    std::ofstream(file("f" + std::to_string(100'000 + i) + ".yaml")) << "kind: Other\n";
  }
  const size_t before = resident_bytes();
  const auto started = std::chrono::steady_clock::now();
  start();
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
  EXPECT_LT(resident_bytes(), before + 64'000'000);
  EXPECT_TRUE(sink().objects.empty());
  EXPECT_NE(sink().problem("the rest is ignored"), nullptr);
  EXPECT_NE(sink().problem("more than the 1000 that are read"), nullptr);
}

TEST_F(Hostile, DamagedRecordsAreSetAside) {
  write_file(file("a.yaml"), yaml_of("a"));
  write_file(file("b.yaml"), yaml_of("b"));
  start();
  const std::string a = find("a")->test.metadata.uid;
  const std::string b = find("b")->test.metadata.uid;
  watch_.reset();
  const std::string text = read_file(fixture_.record("a"));
  write_file(fixture_.record("a"), text.substr(0, text.size() / 2));
  fs::create_directories(fixture_.record("x").parent_path() / "folder.json");
  restart();
  ASSERT_NE(find("a"), nullptr);
  EXPECT_NE(find("a")->test.metadata.uid, a);
  EXPECT_EQ(find("b")->test.metadata.uid, b);
  EXPECT_NE(sink().problem("set aside"), nullptr);
  EXPECT_TRUE(fs::exists(fixture_.record("a").string() + ".damaged"));
}

TEST_F(Hostile, LostHintsAreMadeUpForByALook) {
  std::ifstream limit_file("/proc/sys/fs/inotify/max_queued_events");
  int limit = 0;
  limit_file >> limit;
  ASSERT_GT(limit, 0);
  if (limit > 100'000) GTEST_SKIP() << "the kernel keeps " << limit << " events";
  write_file(file("x.txt"), "");
  write_file(file("y.txt"), "");
  start();
  // More events than the kernel keeps while nobody reads them; equal ones in a row count once.
  for (int i = 0; i <= limit / 2; ++i) {
    ASSERT_EQ(::chmod(file("x.txt").c_str(), 0644), 0);
    ASSERT_EQ(::chmod(file("y.txt").c_str(), 0644), 0);
  }
  write_file(file("a.yaml"), yaml_of("a"));
  EXPECT_TRUE(sees([&] { return find("a") != nullptr; }));
}

}  // namespace
}  // namespace atq::stores::directory
