// The arguments of `pod`, `start` and `install`.

#include <algorithm>
#include <iterator>
#include <utility>

#include "src/agent/options.hpp"
#include "src/base/text.hpp"

namespace atq::agent {
namespace {

constexpr int64_t kMaxPort = 65'535;
constexpr int64_t kDayMs = 24LL * 3600 * 1000;

/// Reads options of one command into their places and keeps the first problem.
class OptionReader {
 public:
  OptionReader(std::string command, const Parsed& parsed)
      : command_(std::move(command)), parsed_(parsed) {}

  void text(const char* name, std::string& place) {
    if (const std::string* value = find(name)) place = *value;
  }
  void number(const char* name, int64_t least, int64_t most, int64_t& place) {
    const std::string* value = find(name);
    if (value == nullptr) return;
    const auto number = to_number(*value);
    if (number && *number >= least && *number <= most) {
      place = *number;
    } else {
      expected(name, *value,
               "a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
  }
  void port(const char* name, int& place) {
    int64_t value = place;
    number(name, 1, kMaxPort, value);
    place = static_cast<int>(value);
  }
  void expected(const std::string& name, const std::string& found, const std::string& what) {
    add(name + ": found \"" + found + "\", expected " + what);
  }
  void add(const std::string& problem) {
    if (problem_.empty()) problem_ = command_ + ": " + problem;
  }
  const std::string* find(const char* name) const {
    const auto found = parsed_.options.find(name);
    return found == parsed_.options.end() ? nullptr : &found->second;
  }
  const std::string& problem() const { return problem_; }

 private:
  const std::string command_;
  const Parsed& parsed_;
  std::string problem_;
};

/// PORT:/path
void read_http(OptionReader& reader, ReadinessSpec& readiness) {
  const std::string* value = reader.find("--ready-http");
  if (value == nullptr) return;
  const size_t colon = value->find(':');
  const auto port = to_number(std::string_view(*value).substr(0, colon));
  const std::string path = colon == std::string::npos ? "/" : value->substr(colon + 1);
  const bool graphic =
      std::ranges::all_of(path, [](char sign) { return sign > ' ' && sign != 0x7f; });
  if (!port || *port < 1 || *port > kMaxPort || !path.starts_with('/') || !graphic) {
    return reader.expected("--ready-http", *value, "PORT:/path");
  }
  readiness.http_port = static_cast<int>(*port);
  readiness.http_path = path;
}

void read_token(OptionReader& reader, const char* name, std::string& place) {
  reader.text(name, place);
  const std::string* value = reader.find(name);
  if (value != nullptr && value->empty()) reader.add(std::string(name) + ": the token is empty");
}

}  // namespace

Result<PodOptions> parse_pod(const std::vector<std::string>& arguments) {
  const auto dashes = std::ranges::find(arguments, "--");
  const auto parsed = separate(
      {arguments.begin(), dashes}, 1,
      {"--termination-log", "--grace-ms", "--stop-udp", "--stop-graceful", "--stop-now",
       "--address", "--listen", "--ready-log", "--ready-tcp", "--ready-http", "--wait-for-start"});
  if (!parsed) return std::unexpected(parsed.error());
  if (!parsed->words.empty()) {
    return invalid("pod: unexpected \"" + parsed->words.front() +
                   "\"; the tool's command stands after --");
  }
  PodOptions out;
  OptionReader reader("pod", *parsed);
  reader.text("--termination-log", out.termination_log);
  reader.number("--grace-ms", 0, kDayMs, out.spec.grace_ms);
  reader.port("--stop-udp", out.spec.stop.udp_port);
  reader.text("--stop-graceful", out.spec.stop.graceful);
  reader.text("--stop-now", out.spec.stop.now);
  reader.text("--address", out.spec.address);
  reader.port("--listen", out.listen_port);
  reader.text("--ready-log", out.spec.readiness.log_pattern);
  reader.port("--ready-tcp", out.spec.readiness.tcp_port);
  read_http(reader, out.spec.readiness);
  read_token(reader, "--wait-for-start", out.start_token);
  if (!reader.problem().empty()) return invalid(reader.problem());
  if (!out.start_token.empty() && out.listen_port == 0) {
    return invalid("pod: --wait-for-start needs --listen PORT, where the start comes in");
  }
  if (dashes != arguments.end()) out.spec.command.assign(std::next(dashes), arguments.end());
  if (out.spec.command.empty() || out.spec.command.front().empty()) {
    return invalid("pod: the tool's command is missing: atq-agent pod [options] -- COMMAND…");
  }
  return out;
}

Result<StartOptions> parse_start(const std::vector<std::string>& arguments) {
  const auto parsed = separate(arguments, 1, {"--token", "--targets", "--timeout"});
  if (!parsed) return std::unexpected(parsed.error());
  if (!parsed->words.empty()) return invalid("start: unexpected \"" + parsed->words.front() + "\"");
  StartOptions out;
  OptionReader reader("start", *parsed);
  read_token(reader, "--token", out.token);
  if (!reader.problem().empty()) return invalid(reader.problem());
  if (out.token.empty()) return invalid("start: --token TOKEN is missing");
  const std::string* targets = reader.find("--targets");
  if (targets == nullptr || targets->empty()) {
    return invalid("start: --targets HOST:PORT,… is missing");
  }
  for (const std::string& text : split(*targets, ',')) {
    auto target = parse_host_port(text);
    if (!target) return fail_with("start: --targets", target.error());
    out.targets.push_back(*std::move(target));
  }
  if (const std::string* timeout = reader.find("--timeout")) {
    const auto parsed_timeout = parse_timeout(*timeout);
    if (!parsed_timeout) return std::unexpected(parsed_timeout.error());
    out.timeout_ms = *parsed_timeout;
  }
  return out;
}

Result<InstallOptions> parse_install(const std::vector<std::string>& arguments) {
  const auto parsed = separate(arguments, 1, {});
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->words.size() != 1 || parsed->words.front().empty()) {
    return invalid("install: expected one DIR, found " + std::to_string(parsed->words.size()) +
                   " arguments");
  }
  return InstallOptions{parsed->words.front()};
}

}  // namespace atq::agent
