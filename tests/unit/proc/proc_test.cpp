#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "src/proc/cgroup.hpp"
#include "src/proc/files.hpp"
#include "src/proc/loopback.hpp"
#include "src/proc/process.hpp"
#include "src/proc/spawn.hpp"
#include "src/proc/watch.hpp"

namespace atq::proc {
namespace {

namespace fs = std::filesystem;

class FilesTest : public ::testing::Test {
 protected:
  FilesTest() {
    std::string pattern = (fs::temp_directory_path() / "atq-proc-XXXXXX").native();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FilesTest() override {
    EXPECT_TRUE(remove_tree(folder_));
    EXPECT_FALSE(proc::exists(folder_));
  }
  fs::path folder_;
};

TEST_F(FilesTest, AnAtomicWriteIsReadBackAndLeavesNoTemporary) {
  ASSERT_TRUE(write_atomic(folder_ / "a", "one", Durability::Durable));
  ASSERT_TRUE(write_atomic(folder_ / "a", "two"));
  EXPECT_EQ(read_file(folder_ / "a", 10), "two");
  EXPECT_EQ(list_folder(folder_), (std::vector<std::string>{"a"}));
  EXPECT_EQ(read_file(folder_ / "a", 2).error().kind, ErrorKind::Invalid);
  EXPECT_EQ(read_file(folder_ / "b", 2).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(read_tail(folder_ / "a", 2), "wo");
  EXPECT_EQ(read_tail(folder_ / "b", 2), "");
}

TEST_F(FilesTest, OnlyTheFirstWriteOnceAndMarkerCount) {
  EXPECT_EQ(write_once(folder_ / "a", "one"), true);
  EXPECT_EQ(write_once(folder_ / "a", "two"), false);
  EXPECT_EQ(read_file(folder_ / "a", 10), "one");
  EXPECT_EQ(create_marker(folder_ / "m"), true);
  EXPECT_EQ(create_marker(folder_ / "m"), false);
}

TEST_F(FilesTest, LinksAndPipesAreNotRead) {
  ASSERT_TRUE(write_atomic(folder_ / "a", "secret"));
  fs::create_symlink(folder_ / "a", folder_ / "link");
  EXPECT_FALSE(read_file(folder_ / "link", 100));
  EXPECT_FALSE(copy_file(folder_ / "link", folder_ / "copy", 0444));
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(folder_ / "pipe", 100).error().kind, ErrorKind::Invalid);
  fs::create_directory_symlink("/tmp", folder_ / "elsewhere");
  EXPECT_EQ(make_folders(folder_ / "elsewhere").error().kind, ErrorKind::Forbidden);
}

TEST_F(FilesTest, ACopyIsTheSameAndReadOnly) {
  const std::string content(3'000'000, 'x');
  ASSERT_TRUE(write_atomic(folder_ / "a", content));
  ASSERT_TRUE(copy_file(folder_ / "a", folder_ / "b", 0444));
  EXPECT_EQ(read_file(folder_ / "b", content.size()), content);
  EXPECT_EQ(fs::status(folder_ / "b").permissions(), fs::perms(0444));
  EXPECT_EQ(copy_file(folder_ / "a", folder_ / "b", 0444).error().kind, ErrorKind::Conflict);
}

TEST_F(FilesTest, AChildsEndIsToldAndItsCodeKept) {
  boost::asio::io_context loop;
  const auto out = folder_ / "out";
  auto child = spawn({.program = "/bin/sh",
                      .arguments = {"-c", "echo $WORD; exit 7"},
                      .environment = {{"WORD", "hello"}},
                      .output = out});
  ASSERT_TRUE(child) << child.error().message;
  std::optional<ChildExit> ended;
  std::unique_ptr<ProcessWatch> watch;
  watch = std::make_unique<ProcessWatch>(loop, std::move(child->pidfd),
                                         [&] { ended = reap(watch->pidfd()); });
  loop.run();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code, 7);
  EXPECT_EQ(read_file(out, 100), "hello\n");
  EXPECT_EQ(spawn({.program = "/no/such/program"}).error().kind, ErrorKind::NotFound);
}

TEST_F(FilesTest, AProcessIsKnownByItsStartTime) {
  auto child = spawn({.program = "/bin/sleep", .arguments = {"600"}});
  ASSERT_TRUE(child);
  const auto stat = read_stat(child->pid);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->session, child->pid);
  EXPECT_TRUE(open_process({child->pid, stat->start_ticks}));
  EXPECT_EQ(open_process({child->pid, stat->start_ticks + 1}).error().kind, ErrorKind::NotFound);
  EXPECT_TRUE(send_signal(child->pidfd, SIGKILL));
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PIDFD, static_cast<id_t>(child->pidfd.get()), &info, WEXITED), 0);
  EXPECT_EQ(info.si_status, SIGKILL);
  EXPECT_FALSE(open_process({child->pid, stat->start_ticks}));
}

TEST_F(FilesTest, AFolderTellsOfItsFiles) {
  boost::asio::io_context loop;
  std::string seen;
  auto watch = FolderWatch::open(loop, [&](int, std::string_view name, uint32_t) {
    seen = name;
    loop.stop();
  });
  ASSERT_TRUE(watch);
  ASSERT_TRUE((*watch)->add(folder_, IN_CREATE));
  EXPECT_FALSE((*watch)->add(folder_ / "none", IN_CREATE));
  ASSERT_TRUE(create_marker(folder_ / "news"));
  loop.run();
  EXPECT_EQ(seen, "news");
}

TEST(Loopback, BlocksAreCheckedAndRangesDoNotOverlap) {
  EXPECT_EQ(parse_loopback_block("127.77.0.0/16"), (Block{0x7f4d0000, 16}));
  for (const char* text : {"10.0.0.0/8", "127.77.0.1/16", "127.0.0.0/33", "127.0.0.0", "x", ""}) {
    EXPECT_FALSE(parse_loopback_block(text)) << text;
  }
  AddressPool pool(Block{0x7f4d0000, 27});
  const auto any = [](const AddressRange&) { return true; };
  const auto first = pool.reserve(5, 10, any);
  const auto second = pool.reserve(5, 10, any);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(first->first + first->count <= second->first ||
              second->first + second->count <= first->first);
  EXPECT_EQ(pool.reserve(5, 10, any).error().kind, ErrorKind::Unavailable);
  pool.release(*first);
  EXPECT_EQ(pool.reserve(5, 10, any), *first);
  EXPECT_EQ(pool.reserve(1, 31, any).error().kind, ErrorKind::Unavailable);
}

TEST(Loopback, ReservedPortsAreFreeAndDistinct) {
  PortPool pool;
  const auto address = parse_ipv4("127.77.200.1").value();
  const auto first = pool.reserve(1, 3, address, Transport::Tcp);
  const auto second = pool.reserve(1, 3, address, Transport::Tcp);
  ASSERT_TRUE(first && second);
  EXPECT_GE(*second, *first + 3);
  EXPECT_TRUE(can_bind(address, *first, Transport::Tcp, true));
  EXPECT_EQ(format_ipv4(address), "127.77.200.1");
}

TEST(Quantity, MeansWhatKubernetesTakesItFor) {
  EXPECT_EQ(parse_quantity_millis("500m"), 500);
  EXPECT_EQ(parse_quantity_millis("1.5"), 1500);
  EXPECT_EQ(parse_quantity_millis("64Mi"), int64_t{64} * 1024 * 1024 * 1000);
  EXPECT_EQ(parse_quantity_millis("1e3"), 1'000'000);
  for (const char* text : {"", "x", "-1", "1X", "1 Mi", "nan", "inf", "1e300"}) {
    EXPECT_FALSE(parse_quantity_millis(text)) << text;
  }
}

}  // namespace
}  // namespace atq::proc
