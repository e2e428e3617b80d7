#pragma once
// `atq-agent install DIR`: puts the agent where containers of other images find it.

#include <string>

namespace atq::agent {

struct InstallOptions {
  std::string folder;
};

/// Copies this program to DIR/atq-agent, mode 0755, so that it appears whole. Makes DIR (not its
/// parents). 0, or 1 with the reason on stderr.
int run_install(const InstallOptions& options);

}  // namespace atq::agent
