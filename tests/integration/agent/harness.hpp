#pragma once
// Real agents and real tools in folders of their own. Every wait is for a condition and has a
// deadline.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <poll.h>
#include <signal.h>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "src/agent/files.hpp"
#include "src/agent/protocol.hpp"
#include "src/agent/replica_folder.hpp"
#include "src/agent/unique_fd.hpp"

namespace atq::agent::testing_support {

using namespace std::chrono_literals;

inline std::string agent_binary() { return ATQ_BINARY_DIR "/bin/atq-agent"; }

/// Looks again every millisecond until it holds or the deadline passes.
inline bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds limit = 20s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

/// Neither gone nor a zombie.
inline bool is_live(int pid) {
  const auto stat = read_whole("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return false;
  const size_t bracket = stat->rfind(')');
  return bracket != std::string::npos && (*stat)[bracket + 2] != 'Z';
}

/// A child process of the test; killed if it is still there at the end.
class Process {
 public:
  explicit Process(std::vector<std::string> command) {
    std::vector<char*> argv;
    for (std::string& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execv(argv[0], argv.data());
      ::_exit(99);
    }
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  Process(Process&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), pidfd_(std::move(other.pidfd_)) {}
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  int pid() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }
  /// The exit code, 128 + signal, or -1 if it has not ended in time.
  int wait(std::chrono::milliseconds limit = 20s) {
    pollfd ended{pidfd_.get(), POLLIN, 0};
    if (::poll(&ended, 1, static_cast<int>(limit.count())) != 1) return -1;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_ = 0;
  UniqueFd pidfd_;
};

/// Captured output and exit code of a short command.
struct Ran {
  int code = 0;
  std::string output;
};
inline Ran run(const std::string& shell_command) {
  Ran ran;
  FILE* pipe = ::popen((shell_command + " 2>&1").c_str(), "r");
  char buffer[4096];
  for (size_t count; (count = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    ran.output.append(buffer, count);
  }
  ran.code = WEXITSTATUS(::pclose(pipe));
  return ran;
}

/// The script with each $ doubled, so that the agent hands it to the shell as it stands.
inline std::string unexpanded(const std::string& script) {
  std::string out;
  for (const char sign : script) out.append(sign == '$' ? 2 : 1, sign);
  return out;
}

/// A temporary folder; what the test wants of a replica stands in `spec`.
class AgentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/atq-agent-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = std::filesystem::canonical(pattern);
    spec.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
    spec.grace_ms = 10'000;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void set_script(const std::string& script) { spec.command = {"sh", "-c", unexpanded(script)}; }
  Process start() {
    EXPECT_TRUE(write_replica_spec(folder, spec));
    return Process({agent_binary(), "exec", "--folder", folder});
  }
  /// Runs it to its end.
  int run_replica() {
    Process agent = start();
    return agent.wait();
  }
  std::string text(const std::string& file) const {
    return read_whole(folder + "/" + file, 256 << 20).value_or("");
  }
  ExitRecord record() const {
    const auto read = read_exit(folder);
    EXPECT_TRUE(read) << read.error().message;
    return read.value_or(ExitRecord{});
  }
  bool await_ready() const {
    return eventually([&] { return is_ready(folder); });
  }
  /// Waits for a line in stdout.log that holds a process id.
  int await_pid() const {
    int pid = 0;
    EXPECT_TRUE(eventually([&] {
      const std::string out = text("stdout.log");
      if (out.find('\n') == std::string::npos) return false;
      pid = std::atoi(out.c_str());
      return pid > 0;
    }));
    return pid;
  }

  std::string folder;
  ReplicaSpec spec;
};

}  // namespace atq::agent::testing_support
