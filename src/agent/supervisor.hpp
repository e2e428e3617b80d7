#pragma once
// Runs one replica's tool from its release to its exit record.

#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>

#include "src/agent/event_loop.hpp"
#include "src/agent/output.hpp"
#include "src/agent/protocol.hpp"
#include "src/agent/readiness.hpp"
#include "src/agent/spawn.hpp"
#include "src/agent/unique_fd.hpp"

namespace atq::agent {

/// The states run Waiting → Running → Stopping → Sweeping → Done, each at most once, in this order;
/// Stopping is left out where the tool ends by itself.
///   Waiting   for the release
///   Stopping  the tool has been asked to end
///   Sweeping  the tool has ended, processes it left behind are ended
/// One per process: it reaps every child and kills every descendant. `loop` outlives it.
class Supervisor {
 public:
  /// `folder` is absolute and claimed by this process.
  Supervisor(EventLoop& loop, std::string folder, ReplicaSpec spec);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Starts, or waits for the release. When all is over the record stands and the loop is stopped.
  void begin();
  void stop_gracefully();  ///< a second call means stop_now()
  void stop_now();         ///< a second call kills what is left at once
  void reap();             ///< after SIGCHLD

  const ExitRecord& record() const { return record_; }
  /// The `started` marker was there already: nothing was run, and nothing is to be recorded.
  bool started_before() const { return started_before_; }

 private:
  enum class State { Waiting, Running, Stopping, Sweeping, Done };
  /// One of the tool's output streams.
  struct Stream {
    Stream(std::string path, int64_t limit, LineSplitter::LineCallback on_line)
        : log(std::move(path), limit), lines(std::move(on_line)) {}
    UniqueFd fd;
    BoundedLog log;
    LineSplitter lines;
  };

  Result<void> prepare();
  void wait_for_release();
  void release_seen();
  void start_tool();
  Result<void> open_pipes(UniqueFd& out, UniqueFd& err);
  Result<void> open_terminal(UniqueFd& slave);
  Result<void> spawn_tool();
  void watch_stream(Stream& stream);
  /// False once nothing more can come at this time.
  bool read_stream(Stream& stream);
  void see_line(std::string_view line);
  void mark_ready();
  void tool_ended(int status, const rusage& usage);
  void sweep();
  void kill_all();
  void keep_killing();
  void give_up();
  void cannot_start(const std::string& error);
  void stopped_early();
  void finish();

  EventLoop& loop_;
  const std::string folder_;
  const ReplicaSpec spec_;
  State state_ = State::Waiting;
  SpawnRequest request_;
  UniqueFd inotify_;
  pid_t tool_ = 0;
  Clock::time_point started_at_;
  std::unique_ptr<Readiness> readiness_;
  std::unique_ptr<Stream> out_, err_;
  LastLines last_lines_;
  EventLoop::Timer release_timer_, term_timer_, kill_timer_, give_up_timer_;
  bool now_ = false;
  bool killing_ = false;
  bool given_up_ = false;
  bool started_before_ = false;
  ExitRecord record_;
};

}  // namespace atq::agent
