// atq-agent: stands in front of the tool in each worker and master, on every runtime.

#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <variant>
#include <vector>

#include "src/agent/command_line.hpp"
#include "src/agent/exec_command.hpp"
#include "src/agent/probe_command.hpp"

namespace {

using namespace atq::agent;

constexpr int kUsage = 2;

/// Nothing but the standard descriptors comes from the caller: a tool would hold its sockets and
/// locks open. And those must be taken, or a pipe of ours would become the tool's stdin.
void settle_descriptors() {
  ::close_range(3, ~0U, 0);
  int fd = 0;
  while (fd >= 0 && fd <= 2) fd = ::open("/dev/null", O_RDWR);
  if (fd > 2) ::close(fd);
}

struct Runner {
  int operator()(const HelpOptions& options) const {
    ::fputs(help_text(options.topic).c_str(), stdout);
    return 0;
  }
  int operator()(const VersionOptions&) const {
    ::puts("atq-agent " ATQ_VERSION);
    return 0;
  }
  int operator()(const ExecOptions& options) const { return run_exec(options); }
  int operator()(const PodOptions& options) const { return run_pod(options); }
  int operator()(const StartOptions& options) const { return run_start(options); }
  int operator()(const InstallOptions& options) const { return run_install(options); }
  int operator()(const ProbeOptions& options) const { return run_probe(options); }
  int operator()(const ProbeOnceOptions& options) const { return run_probe_once(options.target); }
};

}  // namespace

int main(int argc, char** argv) {
  settle_descriptors();
  try {
    const auto command = parse_command_line(std::vector<std::string>(argv + 1, argv + argc));
    if (command) return std::visit(Runner{}, *command);
    ::fprintf(stderr, "atq-agent: %s\nTry: atq-agent --help\n", command.error().message.c_str());
    return kUsage;
  } catch (const std::exception& exception) {
    ::fprintf(stderr, "atq-agent: %s\n", exception.what());
    return 1;
  }
}
