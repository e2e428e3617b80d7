#include "src/agent/supervisor.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "src/agent/wall_clock.hpp"

namespace atq::agent {

Supervisor::Supervisor(EventLoop& loop, ReplicaHome& home, ReplicaSpec spec)
    : loop_(loop), home_(home), spec_(std::move(spec)) {}

Supervisor::~Supervisor() {
  for (const auto& timer : {term_timer_, kill_timer_, give_up_timer_}) loop_.cancel(timer);
}

void Supervisor::begin() {
  // What cannot start says so at once, also where its release is yet to come.
  if (auto prepared = prepare(); !prepared) return cannot_start(prepared.error().message);
  if (!spec_.wait_for_release) return start_tool();
  home_.await_release([this] { released(); });
}

Result<void> Supervisor::prepare() {
  request_.environment = spec_.environment;
  request_.working_dir = spec_.working_dir;
  request_.command = spec_.command;
  auto file = find_executable(request_.command.front(), spec_.environment, request_.working_dir);
  if (!file) return std::unexpected(file.error());
  request_.file = *std::move(file);
  auto readiness = Readiness::create(loop_, spec_, [this] { mark_ready(); });
  if (!readiness) return std::unexpected(readiness.error());
  readiness_ = *std::move(readiness);
  out_ = open_stream(OutputStream::Stdout);
  err_ = open_stream(OutputStream::Stderr);
  return {};
}

std::unique_ptr<Supervisor::Stream> Supervisor::open_stream(OutputStream which) {
  auto stream = std::make_unique<Stream>([this](std::string_view line) { see_line(line); });
  Stream* const raw = stream.get();
  stream->sink = home_.open_output(which, [this, raw] {
    if (raw->fd) watch_stream(*raw);
  });
  return stream;
}

void Supervisor::released() {
  if (state_ == State::Waiting) start_tool();
}

void Supervisor::start_tool() {
  const auto marked = home_.mark_started();
  if (!marked && marked.error().kind == ErrorKind::Conflict) {
    started_before_ = true;
    return loop_.stop();
  }
  if (!marked) return cannot_start(marked.error().message);
  started_at_ = Clock::now();
  if (auto spawned = spawn_tool(); !spawned) return cannot_start(spawned.error().message);
  started_at_us_ = wall_clock_us();
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
    stream.lines.feed(bytes);
    if (!stream.sink->append(bytes)) loop_.unwatch(stream.fd.get());
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
  const auto marked = home_.mark_ready();
  // Nothing else to be done about it: the run's deadline will speak.
  if (!marked) last_lines_.add("atq-agent: " + marked.error().message);
}

std::string Supervisor::not_ready() const {
  switch (state_) {
    case State::Waiting:
      return spec_.wait_for_release && readiness_ ? "" : "the tool has not been started";
    case State::Running:
      return readiness_->missing();
    case State::Stopping:
      return "the tool is being stopped";
    case State::Sweeping:
    case State::Done:
      return "the tool has ended";
  }
  return {};
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
    stream->sink->finish();
  }
  record_.last_lines = last_lines_.lines();
  loop_.stop();
}

}  // namespace atq::agent
