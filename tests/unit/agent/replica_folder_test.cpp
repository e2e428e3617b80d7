#include "src/agent/replica_folder.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "src/agent/files.hpp"

namespace atq::agent {
namespace {

class ReplicaFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/replica-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const char* name, std::string_view text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  std::string folder_;
};

TEST_F(ReplicaFolder, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(read_replica_spec(folder_).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(read_agent(folder_).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(read_started(folder_).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(read_exit(folder_).error().kind, ErrorKind::NotFound);
  EXPECT_FALSE(is_alive(folder_));
  EXPECT_FALSE(is_ready(folder_));
  EXPECT_FALSE(is_released(folder_));
}

TEST_F(ReplicaFolder, SpecIsReadAsItWasWritten) {
  const ReplicaSpec spec{.command = {"a", "b"}, .address = "127.0.0.1"};
  ASSERT_TRUE(write_replica_spec(folder_, spec));
  EXPECT_EQ(read_replica_spec(folder_), spec);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/replica.json.tmp"));
}

TEST_F(ReplicaFolder, DamagedFilesNameThemselves) {
  write("exit.json", "{\"code\":");
  const auto record = read_exit(folder_);
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().kind, ErrorKind::Invalid);
  EXPECT_TRUE(record.error().message.starts_with(folder_ + "/exit.json: not valid JSON"));
}

TEST_F(ReplicaFolder, FoldersFifosAndHugeFilesAreRefused) {
  std::filesystem::create_directory(folder_ + "/exit.json");
  EXPECT_EQ(read_exit(folder_).error().kind, ErrorKind::Invalid);
  ASSERT_EQ(::mkfifo((folder_ + "/started").c_str(), 0600), 0);
  EXPECT_EQ(read_started(folder_).error().kind, ErrorKind::Invalid);
  write("big", "");
  std::filesystem::resize_file(folder_ + "/big", 1 << 20);
  EXPECT_EQ(read_whole(folder_ + "/big", 1 << 10).error().kind, ErrorKind::Invalid);
}

TEST_F(ReplicaFolder, ReleaseTwiceIsReleased) {
  EXPECT_TRUE(release(folder_));
  EXPECT_TRUE(release(folder_));
  EXPECT_TRUE(is_released(folder_));
}

TEST_F(ReplicaFolder, AliveIsHoldingTheLockAndAskingNeverTakesIt) {
  const std::string path = folder_ + "/agent.lock";
  UniqueFd holder(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  EXPECT_FALSE(is_alive(folder_));
  ASSERT_TRUE(lock_exclusive(holder.get(), path));
  EXPECT_TRUE(is_alive(folder_));
  const UniqueFd second(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(lock_exclusive(second.get(), path).error().kind, ErrorKind::Conflict);
  holder.reset();
  EXPECT_FALSE(is_alive(folder_));
  EXPECT_TRUE(lock_exclusive(second.get(), path));
}

TEST_F(ReplicaFolder, CreateExclusiveHasOneWinner) {
  const std::string path = folder_ + "/started";
  EXPECT_TRUE(create_exclusive(path, "first"));
  EXPECT_EQ(create_exclusive(path, "second").error().kind, ErrorKind::Conflict);
  EXPECT_EQ(read_whole(path, 100), "first");
}

TEST_F(ReplicaFolder, AProcessIsRunningByPidStartTimeAndBoot) {
  const Started self = describe_self(5);
  EXPECT_EQ(self.pid, ::getpid());
  EXPECT_TRUE(is_running(self));
  Started other = self;
  ++other.start_ticks;
  EXPECT_FALSE(is_running(other));
  other = self;
  other.boot_id = "another";
  EXPECT_FALSE(is_running(other));
  EXPECT_FALSE(is_running({.pid = 0x7fffffff, .start_ticks = 1, .boot_id = self.boot_id}));
}

}  // namespace
}  // namespace atq::agent
