#include "src/agent/install_command.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/agent/unique_fd.hpp"
#include "src/base/error.hpp"

namespace atq::agent {
namespace {

Result<void> copy_self(const std::string& path) {
  const UniqueFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!self) return std::unexpected(from_errno(errno, "open /proc/self/exe"));
  const UniqueFd copy(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
  if (!copy) return std::unexpected(from_errno(errno, "create " + path));
  constexpr size_t kPiece = 1 << 20;
  ssize_t count = 0;
  while ((count = ::sendfile(copy.get(), self.get(), nullptr, kPiece)) > 0) {
  }
  // Whatever the umask was: the tool's image may run as any user.
  if (count < 0 || ::fchmod(copy.get(), 0755) != 0) {
    return std::unexpected(from_errno(errno, "write " + path));
  }
  return {};
}

Result<void> install(const std::string& folder) {
  ::mkdir(folder.c_str(), 0755);  // what follows says why, if it cannot be used
  const std::string path = folder + "/atq-agent", temporary = path + ".tmp";
  auto copied = copy_self(temporary);
  if (copied && ::rename(temporary.c_str(), path.c_str()) != 0) {
    copied = std::unexpected(from_errno(errno, "rename to " + path));
  }
  if (!copied) ::unlink(temporary.c_str());
  return copied;
}

}  // namespace

int run_install(const InstallOptions& options) {
  const auto installed = install(options.folder);
  if (installed) return 0;
  ::fprintf(stderr, "atq-agent: %s\n", installed.error().message.c_str());
  return 1;
}

}  // namespace atq::agent
