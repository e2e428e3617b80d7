#pragma once
// atq-agent's arguments. Pure.

#include <string>
#include <variant>
#include <vector>

#include "src/agent/exec_command.hpp"
#include "src/agent/install_command.hpp"
#include "src/agent/pod_command.hpp"
#include "src/agent/probe_command.hpp"
#include "src/agent/protocol.hpp"
#include "src/agent/start_command.hpp"
#include "src/base/error.hpp"

namespace atq::agent {

struct HelpOptions {
  std::string topic;  ///< "" or the name of a command
};
struct VersionOptions {};
/// One try, outcome on stdout. kind "dns": the name's addresses, `host` alone counts.
struct ProbeOnceOptions {
  ProbeTarget target;
};

using Command = std::variant<HelpOptions, VersionOptions, ExecOptions, PodOptions, StartOptions,
                             InstallOptions, ProbeOptions, ProbeOnceOptions>;

/// `arguments` without the program's name. Invalid with a message that says what was expected.
Result<Command> parse_command_line(const std::vector<std::string>& arguments);

std::string help_text(const std::string& topic);

/// "host:1099", "127.0.0.1:80", "[::1]:80".
Result<HostPort> parse_host_port(const std::string& text);
/// "http://host[:port][/path]" as an http check.
Result<ProbeTarget> parse_http_url(const std::string& text);
/// "250ms", "2s", "1m": milliseconds, from 1 ms to one hour.
Result<int64_t> parse_timeout(const std::string& text);

}  // namespace atq::agent
