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
#include "src/agent/replica_home.hpp"
#include "src/agent/spawn.hpp"
#include "src/agent/unique_fd.hpp"

namespace atq::agent {

/// The states run Waiting → Running → Stopping → Sweeping → Done, each at most once, in this order;
/// Stopping is left out where the tool ends by itself.
///   Waiting   for the release
///   Stopping  the tool has been asked to end
///   Sweeping  the tool has ended, processes it left behind are ended
/// One per process: it reaps every child and kills every descendant. `loop` and `home` outlive it.
class Supervisor {
 public:
  /// The spec's command is expanded and its working folder absolute.
  Supervisor(EventLoop& loop, ReplicaHome& home, ReplicaSpec spec);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Starts, or waits for the release. When all is over the record stands and the loop is stopped.
  void begin();
  void stop_gracefully();  ///< a second call means stop_now()
  void stop_now();         ///< a second call kills what is left at once
  void reap();             ///< after SIGCHLD

  const ExitRecord& record() const { return record_; }
  /// The home knew of an earlier start: nothing was run, and nothing is to be recorded.
  bool started_before() const { return started_before_; }
  /// Wall clock, when the tool was running; 0 before.
  int64_t started_at_us() const { return started_at_us_; }
  /// What readiness still waits for, for people; "" when it holds. A replica that waits for its
  /// release is ready for it.
  std::string not_ready() const;

 private:
  enum class State { Waiting, Running, Stopping, Sweeping, Done };
  /// One of the tool's output streams.
  struct Stream {
    explicit Stream(LineSplitter::LineCallback on_line) : lines(std::move(on_line)) {}
    UniqueFd fd;
    std::unique_ptr<OutputSink> sink;
    LineSplitter lines;
  };

  Result<void> prepare();
  std::unique_ptr<Stream> open_stream(OutputStream which);
  void released();
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
  ReplicaHome& home_;
  const ReplicaSpec spec_;
  State state_ = State::Waiting;
  SpawnRequest request_;
  pid_t tool_ = 0;
  Clock::time_point started_at_;
  int64_t started_at_us_ = 0;
  std::unique_ptr<Readiness> readiness_;
  std::unique_ptr<Stream> out_, err_;
  LastLines last_lines_;
  EventLoop::Timer term_timer_, kill_timer_, give_up_timer_;
  bool now_ = false;
  bool killing_ = false;
  bool given_up_ = false;
  bool started_before_ = false;
  ExitRecord record_;
};

}  // namespace atq::agent
