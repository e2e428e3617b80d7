#include "src/agent/supervisor.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "src/agent/files.hpp"
#include "src/agent/replica_folder.hpp"
#include "src/agent/wall_clock.hpp"
#include "src/base/expand.hpp"

namespace atq::agent {

Supervisor::Supervisor(EventLoop& loop, std::string folder, ReplicaSpec spec)
    : loop_(loop), folder_(std::move(folder)), spec_(std::move(spec)) {}

Supervisor::~Supervisor() {
  for (const auto& timer : {release_timer_, term_timer_, kill_timer_, give_up_timer_}) {
    loop_.cancel(timer);
  }
}

void Supervisor::begin() {
  // What cannot start says so at once, also where its release is yet to come.
  if (auto prepared = prepare(); !prepared) return cannot_start(prepared.error().message);
  if (spec_.wait_for_release) return wait_for_release();
  start_tool();
}

Result<void> Supervisor::prepare() {
  request_.environment = spec_.environment;
  request_.working_dir = folder_ + "/work";
  if (spec_.working_dir.empty()) {
    ::mkdir(request_.working_dir.c_str(), 0755);
  } else {
    const bool absolute = spec_.working_dir.starts_with('/');
    request_.working_dir = absolute ? spec_.working_dir : folder_ + "/" + spec_.working_dir;
  }
  for (const std::string& text : spec_.command) {
    request_.command.push_back(expand_variables(text, spec_.environment));
  }
  auto file = find_executable(request_.command.front(), spec_.environment, request_.working_dir);
  if (!file) return std::unexpected(file.error());
  request_.file = *std::move(file);
  auto readiness = Readiness::create(loop_, spec_, [this] { mark_ready(); });
  if (!readiness) return std::unexpected(readiness.error());
  readiness_ = *std::move(readiness);
  const auto on_line = [this](std::string_view line) { see_line(line); };
  out_ = std::make_unique<Stream>(folder_ + "/" + kStdoutFile, spec_.max_log_bytes, on_line);
  err_ = std::make_unique<Stream>(folder_ + "/" + kStderrFile, spec_.max_log_bytes, on_line);
  return {};
}

void Supervisor::wait_for_release() {
  inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (inotify_ &&
      ::inotify_add_watch(inotify_.get(), folder_.c_str(), IN_CREATE | IN_MOVED_TO) >= 0) {
    loop_.watch(inotify_.get(), EPOLLIN, [this](uint32_t) {
      alignas(inotify_event) std::array<char, 4096> buffer;
      while (::read(inotify_.get(), buffer.data(), buffer.size()) > 0) {
      }
      release_seen();
    });
  } else {
    inotify_.reset();
  }
  release_seen();
}

void Supervisor::release_seen() {
  if (state_ != State::Waiting) return;
  if (!is_released(folder_)) {
    // Users have few inotify instances; without one, look often enough not to be seen as late.
    // With one, look now and then all the same: some file systems tell nothing.
    const std::chrono::milliseconds next(inotify_ ? 1000 : 2);
    loop_.cancel(release_timer_);
    release_timer_ = loop_.after(next, [this] { release_seen(); });
    return;
  }
  // Only unwatched: closing an inotify descriptor waits some milliseconds for the kernel's readers,
  // and now the tool's start is what counts.
  if (inotify_) loop_.unwatch(inotify_.get());
  loop_.cancel(release_timer_);
  start_tool();
}

void Supervisor::start_tool() {
  const auto marked =
      create_exclusive(folder_ + "/" + kStartedFile, encode(describe_self(wall_clock_us())));
  if (!marked && marked.error().kind == ErrorKind::Conflict) {
    started_before_ = true;
    return loop_.stop();
  }
  if (!marked) return cannot_start(marked.error().message);
  started_at_ = Clock::now();
  if (auto spawned = spawn_tool(); !spawned) return cannot_start(spawned.error().message);
  state_ = State::Running;
  watch_stream(*out_);
  if (err_->fd) watch_stream(*err_);
  readiness_->start();
}

Result<void> Supervisor::spawn_tool() {
  UniqueFd out, err, terminal;
  auto opened = spec_.tty ? open_terminal(terminal) : open_pipes(out, err);
  if (!opened) return opened;
  request_.stdout_fd = out.get();
  request_.stderr_fd = err.get();
  request_.terminal_fd = terminal.get();
  const auto pid = spawn(request_);
  if (!pid) return std::unexpected(pid.error());
  tool_ = *pid;
  return {};
}

Result<void> Supervisor::open_pipes(UniqueFd& out, UniqueFd& err) {
  for (const auto& [stream, write_end] : {std::pair{out_.get(), &out}, {err_.get(), &err}}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(from_errno(errno, "pipe"));
    stream->fd.reset(ends[0]);
    write_end->reset(ends[1]);
    // Our end alone: a tool is not used to a non-blocking stdout.
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  return {};
}

Result<void> Supervisor::open_terminal(UniqueFd& slave) {
  UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  std::array<char, 64> name;
  if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0 ||
      ::ptsname_r(master.get(), name.data(), name.size()) != 0) {
    return std::unexpected(from_errno(errno, "open a pseudo-terminal"));
  }
  slave.reset(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return std::unexpected(from_errno(errno, "open a pseudo-terminal"));
  const winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(slave.get(), TIOCSWINSZ, &size);
  out_->fd = std::move(master);
  return {};
}

void Supervisor::watch_stream(Stream& stream) {
  loop_.watch(stream.fd.get(), EPOLLIN, [this, &stream](uint32_t) { read_stream(stream); });
}

bool Supervisor::read_stream(Stream& stream) {
  std::array<char, 65'536> buffer;
  const ssize_t count = ::read(stream.fd.get(), buffer.data(), buffer.size());
  if (count > 0) {
    const std::string_view bytes(buffer.data(), static_cast<size_t>(count));
    stream.log.append(bytes);
    stream.lines.feed(bytes);
    return true;
  }
  if (count < 0 && errno == EINTR) return true;
  if (count < 0 && errno == EAGAIN) return false;
  // The end; of a terminal EIO.
  loop_.unwatch(stream.fd.get());
  stream.fd.reset();
  return false;
}

void Supervisor::see_line(std::string_view line) {
  last_lines_.add(line);
  if (state_ == State::Running) readiness_->see_line(line);
}

void Supervisor::mark_ready() {
  if (state_ != State::Running) return;
  const auto created = create_exclusive(folder_ + "/" + kReadyFile, "");
  // Nothing else to be done about it: the run's deadline will speak.
  if (!created) last_lines_.add("atq-agent: " + created.error().message);
}

void Supervisor::cannot_start(const std::string& error) {
  record_.code = kCannotStart;
  record_.error = error;
  record_.at_us = wall_clock_us();
  state_ = State::Done;
  loop_.stop();
}

void Supervisor::finish() {
  if (state_ == State::Done) return;
  state_ = State::Done;
  // All writers have ended, so what they wrote is in the pipes already. The bound is for a process
  // outside the tree which was handed the pipe and goes on writing.
  constexpr int kMaxReads = 256;
  for (Stream* stream : {out_.get(), err_.get()}) {
    for (int reads = 0; stream->fd && reads < kMaxReads && read_stream(*stream); ++reads) {
    }
    if (stream->fd) loop_.unwatch(stream->fd.get());
    stream->lines.finish();
  }
  record_.last_lines = last_lines_.lines();
  loop_.stop();
}

}  // namespace atq::agent
