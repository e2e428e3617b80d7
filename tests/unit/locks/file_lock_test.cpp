#include "src/locks/file/file_lock.hpp"

#include <fstream>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/conformance/lock_suite.hpp"
#include "tests/fakes/fake_lock.hpp"
#include "tests/fakes/virtual_clock.hpp"

namespace atq {
namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "atq-lock-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct FileWorld {
  std::unique_ptr<ports::LeaderLock> make() {
    return std::make_unique<locks::FileLock>(io_, clock, folder / "lock");
  }
  void turn() { clock.advance(std::chrono::seconds(1)); }
  void take_away() { std::filesystem::remove(folder / "lock"); }
  boost::asio::io_context& io() { return io_; }

  Folder folder;
  boost::asio::io_context io_;
  fakes::VirtualClock clock{io_};
};

}  // namespace

namespace conformance {
INSTANTIATE_TYPED_TEST_SUITE_P(File, LockSuite, FileWorld);
}  // namespace conformance

namespace {

TEST(FileLock, ProcessThatDiesGivesItUp) {
  FileWorld world;
  const std::string path = (world.folder / "lock").string();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
    const bool held = flock(fd, LOCK_EX | LOCK_NB) == 0 && write(fd, "pid 1 on moon\n", 14) == 14;
    if (write(ready[1], held ? "y" : "n", 1) == 1) {
      pause();
    }
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  auto lock = world.make();
  std::optional<Result<bool>> result;
  boost::asio::co_spawn(world.io(), lock->acquire(),
                        [&](std::exception_ptr, Result<bool> r) { result = std::move(r); });
  world.turn();
  EXPECT_FALSE(result.has_value());
  EXPECT_EQ(lock->holder(), "pid 1 on moon");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  world.turn();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, Result<bool>(true));
  EXPECT_TRUE(lock->holder().starts_with("pid " + std::to_string(getpid()) + " on "));
  close(ready[0]);
  close(ready[1]);
}

TEST(FileLock, MissingFolderAndSymbolicLinkAreErrors) {
  FileWorld world;
  const auto error_of = [&](const std::filesystem::path& path) {
    locks::FileLock lock(world.io(), world.clock, path);
    std::optional<Result<bool>> result;
    boost::asio::co_spawn(world.io(), lock.acquire(),
                          [&](std::exception_ptr, Result<bool> r) { result = std::move(r); });
    world.turn();
    return result->error().message;
  };
  EXPECT_NE(error_of(world.folder / "none/lock").find("No such file"), std::string::npos);
  std::filesystem::create_symlink("/dev/null", world.folder / "link");
  EXPECT_NE(error_of(world.folder / "link").find("link"), std::string::npos);
}

}  // namespace
}  // namespace atq
