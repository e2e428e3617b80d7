#include "src/agent/command_line.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "src/agent/options.hpp"

namespace atq::agent {
namespace {

/// --parent PID; 0 where it is not given.
Result<int> parent_of(const Parsed& parsed) {
  const auto found = parsed.options.find("--parent");
  if (found == parsed.options.end()) return 0;
  const auto pid = to_number(found->second);
  if (!pid || *pid < 1 || *pid > INT32_MAX) {
    return invalid("--parent: found \"" + found->second + "\", expected a process id");
  }
  return static_cast<int>(*pid);
}

Result<Command> parse_exec(const std::vector<std::string>& arguments) {
  const auto parsed = separate(arguments, 1, {"--folder", "--parent"});
  if (!parsed) return std::unexpected(parsed.error());
  if (!parsed->words.empty()) {
    return invalid("exec: unexpected \"" + parsed->words.front() +
                   "\"; the command stands in DIR/replica.json");
  }
  const auto folder = parsed->options.find("--folder");
  if (folder == parsed->options.end() || folder->second.empty()) {
    return invalid("exec: --folder DIR is missing");
  }
  const auto parent = parent_of(*parsed);
  if (!parent) return std::unexpected(parent.error());
  return ExecOptions{folder->second, *parent};
}

Result<ProbeTarget> once_target(const std::string& kind, const std::string& where) {
  if (kind == "http") return parse_http_url(where);
  ProbeTarget target{.name = kind, .kind = kind, .host = where};
  if (kind == "dns") return target;
  const auto place = parse_host_port(where);
  if (!place) return std::unexpected(place.error());
  target.host = place->host;
  target.port = place->port;
  return target;
}

Result<Command> parse_probe_once(const std::vector<std::string>& arguments) {
  const std::string& kind = arguments[1];
  const auto parsed = separate(arguments, 2, {"--timeout"});
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->words.size() != 1) {
    const std::string what = kind == "http" ? "URL" : kind == "dns" ? "NAME" : "HOST:PORT";
    return invalid("probe " + kind + ": expected one " + what + ", found " +
                   std::to_string(parsed->words.size()) + " arguments");
  }
  auto target = once_target(kind, parsed->words.front());
  if (!target) return std::unexpected(target.error());
  if (const auto found = parsed->options.find("--timeout"); found != parsed->options.end()) {
    const auto timeout = parse_timeout(found->second);
    if (!timeout) return std::unexpected(timeout.error());
    target->timeout_ms = *timeout;
  }
  return ProbeOnceOptions{*std::move(target)};
}

Result<Command> parse_probe(const std::vector<std::string>& arguments) {
  const std::vector<std::string_view> kinds{"tcp", "udp", "http", "dns"};
  if (arguments.size() > 1 && !arguments[1].starts_with("-")) {
    if (std::ranges::find(kinds, arguments[1]) != kinds.end()) return parse_probe_once(arguments);
    return invalid("probe: found \"" + arguments[1] + "\", expected tcp, udp, http, dns or --spec");
  }
  const auto parsed = separate(arguments, 1, {"--spec", "--spec-env", "--report", "--parent"});
  if (!parsed) return std::unexpected(parsed.error());
  const auto& given = parsed->options;
  if (given.contains("--spec") == given.contains("--spec-env")) {
    return invalid("probe: expected one of --spec FILE and --spec-env NAME");
  }
  if (!given.contains("--report")) return invalid("probe: --report FILE is missing");
  if (!parsed->words.empty()) return invalid("probe: unexpected \"" + parsed->words.front() + "\"");
  const auto parent = parent_of(*parsed);
  if (!parent) return std::unexpected(parent.error());
  const bool by_env = given.contains("--spec-env");
  return ProbeOptions{.spec_file = by_env ? "" : given.at("--spec"),
                      .spec_env = by_env ? given.at("--spec-env") : "",
                      .report_file = given.at("--report"),
                      .parent = *parent};
}

constexpr char kCommands[] = "exec, pod, start, install, probe, version or --help";

template <class Options>
Result<Command> as_command(Result<Options> options) {
  if (!options) return std::unexpected(options.error());
  return Command(*std::move(options));
}

}  // namespace

Result<Command> parse_command_line(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return invalid(std::string("no command, expected ") + kCommands);
  const std::string& command = arguments.front();
  for (const std::string& argument : arguments) {
    if (argument == "--") break;  // what follows is the tool's
    if (argument == "--help" || argument == "-h") {
      return HelpOptions{command.starts_with('-') ? "" : command};
    }
  }
  if (command == "help") return HelpOptions{arguments.size() > 1 ? arguments[1] : ""};
  if (command == "version" || command == "--version") return VersionOptions{};
  if (command == "exec") return parse_exec(arguments);
  if (command == "probe") return parse_probe(arguments);
  if (command == "pod") return as_command(parse_pod(arguments));
  if (command == "start") return as_command(parse_start(arguments));
  if (command == "install") return as_command(parse_install(arguments));
  return invalid("unknown command \"" + command + "\", expected " + kCommands);
}

Result<HostPort> parse_host_port(const std::string& text) {
  const size_t colon = text.rfind(':');
  const auto port = colon == std::string::npos ? std::nullopt : to_number(text.substr(colon + 1));
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return invalid("\"" + text + "\": an IPv6 address needs brackets, as in [::1]:80");
  }
  if (host.empty() || !port || *port < 1 || *port > 65'535) {
    return invalid("found \"" + text + "\", expected HOST:PORT with a port from 1 to 65535");
  }
  return HostPort{host, static_cast<int>(*port)};
}

Result<ProbeTarget> parse_http_url(const std::string& text) {
  constexpr std::string_view kScheme = "http://";
  if (text.starts_with("https://")) {
    return invalid("\"" + text + "\": https is not supported, probe its port with tcp");
  }
  if (!text.starts_with(kScheme)) {
    return invalid("found \"" + text + "\", expected http://HOST[:PORT][/PATH]");
  }
  const std::string rest = text.substr(kScheme.size());
  const size_t slash = rest.find_first_of("/?");
  std::string authority = rest.substr(0, slash);
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  const auto place = parse_host_port(has_port ? authority : authority + ":80");
  if (!place) return std::unexpected(place.error());
  const std::string path = slash == std::string::npos ? "/" : rest.substr(slash);
  if (path.find_first_of(" \r\n") != std::string::npos) {
    return invalid("\"" + text + "\": a path has neither blanks nor line ends");
  }
  return ProbeTarget{
      .name = "http", .kind = "http", .host = place->host, .port = place->port, .path = path};
}

Result<int64_t> parse_timeout(const std::string& text) {
  const std::map<std::string, int64_t> units{{"ms", 1}, {"s", 1000}, {"m", 60'000}};
  const size_t split_at = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto value = to_number(text.substr(0, split_at));
  const auto unit = units.find(text.substr(split_at));
  constexpr int64_t kHourMs = 3'600'000;
  if (!value || unit == units.end() || *value < 1 || *value > kHourMs / unit->second) {
    return invalid("--timeout: found \"" + text + "\", expected for example 250ms, 2s or 1m");
  }
  return *value * unit->second;
}

}  // namespace atq::agent
