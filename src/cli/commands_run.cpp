#include <chrono>
#include <csignal>
#include <iomanip>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "src/cli/commands.hpp"
#include "src/cli/documents.hpp"
#include "src/cli/render_run.hpp"

namespace atq::cli {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kFrame{100};

TimePoint wall_clock() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

/// Shows a run while it goes on: lines drawn again and again on a terminal, else a line per news.
class Progress {
 public:
  Progress(asio::io_context& loop, Console& console, api::LoadTest test)
      : console_(console), timer_(loop), test_(std::move(test)) {}

  void start() {
    if (console_.live) {
      draw();
      tick();
    }
  }
  void update(const api::LoadTest& test) {
    const auto line = plain_line(test_.status, test.status);
    test_ = test;
    if (console_.live) {
      draw();
    } else if (line) {
      print(*line);
    }
  }
  void note(const std::string& text) {
    view_.note = text;
    if (console_.live) {
      draw();
    } else {
      print(text);
    }
  }
  void finish(const api::LoadTest& test) {
    update(test);
    timer_.cancel();
    done_ = true;
  }

 private:
  void print(const std::string& text) {
    console_.err << to_rfc3339(wall_clock()) << " " << text << '\n' << std::flush;
  }
  void tick() {
    timer_.expires_after(kFrame);
    timer_.async_wait([this](const boost::system::error_code& code) {
      if (!code && !done_) {
        ++view_.frame;
        draw();
        tick();
      }
    });
  }
  void draw() {
    view_.now = wall_clock();
    view_.width = static_cast<size_t>(terminal_width());
    view_.colour = console_.colour;
    std::string out = drawn_ > 0 ? "\x1b[" + std::to_string(drawn_) + "A" : "";
    const auto lines = render_live(test_, view_);
    for (const std::string& line : lines) {
      out += "\r" + line + "\x1b[K\n";
    }
    drawn_ = lines.size();
    console_.err << out << "\x1b[J" << std::flush;
  }

  Console& console_;
  asio::steady_timer timer_;
  api::LoadTest test_;
  LiveView view_;
  size_t drawn_ = 0;
  bool done_ = false;
};

/// Ctrl-C once: graceful; twice: now; then the system's own way.
class Interrupts {
 public:
  Interrupts(asio::io_context& loop, RunSession& session, Progress& progress)
      : signals_(loop, SIGINT, SIGTERM), session_(session), progress_(progress) {
    wait();
  }
  void cancel() { signals_.cancel(); }

 private:
  void wait() {
    signals_.async_wait([this](const boost::system::error_code& code, int) {
      if (code) {
        return;
      }
      ++count_;
      progress_.note(count_ == 1 ? "Stopping gracefully; Ctrl-C again stops at once"
                                 : "Stopping at once");
      session_.request_stop(count_ > 1);
      if (count_ == 1) {
        wait();
      } else {
        signals_.clear();
      }
    });
  }

  asio::signal_set signals_;
  RunSession& session_;
  Progress& progress_;
  int count_ = 0;
};

/// The one LoadTest to run, with the command line's overrides; nullopt after saying what is wrong.
std::optional<RunRequest> make_request(const Command& command, Console& console) {
  LoadedAll all = load_documents(command.files, console.in);
  for (const std::string& error : all.errors) {
    console.err << "atq: " << error << "\n";
  }
  const auto chosen =
      all.errors.empty() ? pick(all.documents, command.name) : fail(ErrorKind::Invalid, "");
  if (!chosen) {
    if (all.errors.empty()) {
      console.err << "atq: " << chosen.error().message << "\n";
    }
    return std::nullopt;
  }
  const Loaded& loaded = **chosen;
  for (const auto& problem : loaded.document.problems) {
    console.err << locate(loaded, problem) << "\n";
  }
  if (!loaded.document.problems.empty()) {
    return std::nullopt;
  }
  RunRequest request{.test = loaded.document.test,
                     .folder = loaded.folder,
                     .data = command.data,
                     .keep = command.keep};
  for (const auto& [name, value] : command.parameters) {
    request.test.spec.parameters[name] = value;
  }
  if (command.replicas) {
    request.test.spec.worker.replicas = *command.replicas;
  }
  // The overrides too must make a valid document.
  const auto again = api::decode_json(api::encode_json(request.test));
  for (const auto& problem : again.problems) {
    console.err << "atq: " << api::to_string(problem) << "\n";
  }
  return again.problems.empty() ? std::optional(std::move(request)) : std::nullopt;
}

void print_result(const RunOutcome& outcome, const Command& command, Console& console) {
  const bool document = !command.output.empty();
  (document ? console.err : console.out) << render_report(outcome, console.colour) << std::flush;
  if (command.output == "json") {
    console.out << api::encode_pretty_json(outcome.test) << '\n' << std::flush;
  } else if (command.output == "yaml") {
    console.out << api::encode_yaml(outcome.test) << std::flush;
  }
}

}  // namespace

int run_run(const Command& command, Console& console, const RunSessionFactory& make_session) {
  const auto request = make_request(command, console);
  if (!request) {
    return kInvalid;
  }
  const int error_code = api::exit_code(api::Verdict::Error);
  asio::io_context loop;
  auto session = make_session(loop, *request);
  if (!session) {
    console.err << "atq: " << session.error().message << "\n";
    return session.error().kind == ErrorKind::Invalid ? kInvalid : error_code;
  }
  Progress progress(loop, console, request->test);
  Interrupts interrupts(loop, **session, progress);
  Result<RunOutcome> outcome = fail(ErrorKind::Internal, "the run ended without a result");
  progress.start();
  asio::co_spawn(loop, (*session)->run([&](const api::LoadTest& test) { progress.update(test); }),
                 [&](const std::exception_ptr& thrown, Result<RunOutcome> result) {
                   if (!thrown) {
                     outcome = std::move(result);
                   }
                   if (outcome) {
                     progress.finish(outcome->test);
                   }
                   interrupts.cancel();
                   loop.stop();
                 });
  loop.run();
  if (!outcome) {
    console.err << "atq: " << outcome.error().message << "\n";
    const ErrorKind kind = outcome.error().kind;
    return kind == ErrorKind::Canceled  ? api::exit_code(api::Verdict::Aborted)
           : kind == ErrorKind::Invalid ? kInvalid
                                        : error_code;
  }
  print_result(*outcome, command, console);
  return api::exit_code(outcome->test.status.verdict);
}

}  // namespace atq::cli
