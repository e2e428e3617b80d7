// atq-director: one director, its servers, its signals.

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <unistd.h>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "controller/app/config.hpp"
#include "controller/app/director.hpp"
#include "controller/engine/log.hpp"
#include "src/server/local_api.hpp"

namespace atq::app {
namespace {

using engine::LogLevel;

constexpr std::chrono::seconds kAnswerGrace{2};

/// The metrics and probes over TCP, the local API on the unix socket.
class Servers {
 public:
  Servers(boost::asio::io_context& loop, engine::Operations& operations)
      : local_(loop.get_executor(), server::make_local_api(operations),
               server::server_options(report)),
        probes_(loop.get_executor(), server::make_probe_api(probes(operations)),
                server::server_options(report)) {}

  Result<void> listen(const Config& config) {
    if (!config.data.empty()) {
      const auto bound = local_.listen_unix(config.data + "/" + std::string(server::kSocketName));
      if (!bound) return bound;
    }
    return config.listen.empty() ? Result<void>{} : listen_tcp(config.listen);
  }

  Task<void> stop() {
    co_await local_.stop(kAnswerGrace);
    co_await probes_.stop(kAnswerGrace);
  }

 private:
  static void report(const std::string& message) { engine::log(LogLevel::Error, message); }

  static server::Probes probes(engine::Operations& operations) {
    return {.metrics = [&operations] { return operations.metrics(); },
            // The loop that answers is the one that works.
            .healthy = [&operations] { return !operations.health().overdue; },
            .not_ready = [&operations]() -> std::string {
              const auto health = operations.health();
              if (health.synced) return "";
              if (!health.leading && !health.holder.empty()) return "";  // standing by
              if (!health.leading) return "no leader is known yet";
              return "the store is not synced";
            }};
  }

  Result<void> listen_tcp(const std::string& address) {
    const auto colon = address.rfind(':');
    uint16_t port = 0;
    const char* end = address.data() + address.size();
    const char* begin = colon == std::string::npos ? end : address.data() + colon + 1;
    const auto parsed = std::from_chars(begin, end, port);
    if (begin == end || parsed.ec != std::errc{} || parsed.ptr != end) {
      return fail(ErrorKind::Invalid,
                  "found listen address \"" + address + "\", expected HOST:PORT");
    }
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    const auto bound = probes_.listen_tcp(host.empty() ? "0.0.0.0" : host, port);
    if (!bound) return std::unexpected(bound.error());
    engine::log(LogLevel::Info, "serving metrics and probes",
                {{"address", host + ":" + std::to_string(*bound)}});
    return {};
  }

  net::Server local_, probes_;
};

/// SIGTERM or SIGINT once drains, twice leaves.
class Signals {
 public:
  Signals(boost::asio::io_context& loop, Director& director)
      : set_(loop, SIGTERM, SIGINT), director_(director) {
    wait();
  }
  void cancel() { set_.cancel(); }

 private:
  void wait() {
    set_.async_wait([this](const boost::system::error_code& code, int) {
      if (code) return;
      if (++count_ > 1) ::_exit(1);
      engine::log(LogLevel::Info, "stopping; the runs go on, a second signal leaves at once");
      director_.stop();
      wait();
    });
  }

  boost::asio::signal_set set_;
  Director& director_;
  int count_ = 0;
};

Task<int> serve(Director& director, Servers& servers, Signals& signals) {
  const auto result = co_await director.run();
  // After lost leadership nothing is drained: another director may be at work already.
  if (!result && result.error().kind == ErrorKind::Canceled) {
    engine::log(LogLevel::Error, "leadership is lost", {{"error", result.error().message}});
    ::_exit(1);
  }
  co_await servers.stop();
  signals.cancel();
  if (result) co_return 0;
  engine::log(LogLevel::Error, "the director cannot go on", {{"error", result.error().message}});
  co_return 1;
}

int run(const Config& config) {
  const auto level = engine::parse_log_level(config.log_level);
  engine::setup_log(config.log_format == "json" ? engine::LogFormat::Json : engine::LogFormat::Text,
                    level.value_or(LogLevel::Info));
  boost::asio::io_context loop{1};
  auto director = Director::make(loop, config, {});
  if (!director) {
    engine::log(LogLevel::Error, "cannot start", {{"error", director.error().message}});
    return 2;
  }
  Servers servers(loop, (*director)->operations());
  if (const auto listening = servers.listen(config); !listening) {
    engine::log(LogLevel::Error, "cannot listen", {{"error", listening.error().message}});
    return 1;
  }
  Signals signals(loop, **director);
  int code = 1;
  boost::asio::co_spawn(
      loop, serve(**director, servers, signals),
      [&](const std::exception_ptr& error, int ended) { code = error ? 1 : ended; });
  loop.run();
  return code;
}

}  // namespace
}  // namespace atq::app

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // One arena: the pools are small, and memory that threads keep for themselves is memory lost.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
  const auto line = atq::app::parse_command_line(argc, argv);
  if (line.kind == atq::app::CommandLine::Kind::Exit) {
    std::fputs(line.output.c_str(), line.exit_code == 0 ? stdout : stderr);
    return line.exit_code;
  }
  return atq::app::run(line.config);
}
