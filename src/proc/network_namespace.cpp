#include "src/proc/network_namespace.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

#include "src/base/hash.hpp"
#include "src/base/text.hpp"
#include "src/proc/files.hpp"
#include "src/proc/loopback.hpp"
#include "src/proc/process.hpp"
#include "src/proc/spawn.hpp"

namespace atq::proc {
namespace {

namespace fs = std::filesystem;

constexpr char kFolder[] = "/run/netns";
constexpr char kInside[] = "eth0";
constexpr char kAdvice[] = "; or leave out process.networkNamespace";

Result<fs::path> find_ip() {
  for (const char* path : {"/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"}) {
    if (::access(path, X_OK) == 0) return fs::path(path);
  }
  return fail(ErrorKind::Invalid,
              std::string("a network namespace for each replica needs the program ip, found in "
                          "none of /usr/sbin, /sbin, /usr/bin, /bin; install iproute2") +
                  kAdvice);
}

Result<fs::path> check_allowed() {
  if (::geteuid() != 0) {
    return fail(ErrorKind::Invalid, std::string("a network namespace for each replica needs root, "
                                                "this is user ") +
                                        std::to_string(::geteuid()) + "; run the director as root" +
                                        kAdvice);
  }
  return find_ip();
}

/// A file that is gone with its object.
class ScratchFile {
 public:
  ScratchFile() {
    std::error_code error;
    path_ = (fs::temp_directory_path(error) / "atq-ip-XXXXXX").native();
    fd_ = UniqueFd(::mkostemp(path_.data(), O_CLOEXEC));
  }
  ~ScratchFile() {
    if (fd_) ::unlink(path_.c_str());
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const std::string& path() const { return path_; }
  bool write(std::string_view text) {
    return fd_ && ::write(fd_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

/// Waits for the end; a program that hangs is killed.
ChildExit await(const Child& child) {
  constexpr int kPatienceMs = 60'000;
  pollfd ended{.fd = child.pidfd.get(), .events = POLLIN, .revents = 0};
  while (::poll(&ended, 1, kPatienceMs) < 0 && errno == EINTR) {
  }
  if (ended.revents == 0) {
    send_signal(child.pidfd, SIGKILL);
    while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
  }
  return reap(child.pidfd).value_or(ChildExit{1, 0});
}

/// `ip ARGUMENTS -batch` of these lines. Invalid with what ip printed.
Result<void> run_batch(const fs::path& ip, std::vector<std::string> arguments,
                       const std::string& lines) {
  ScratchFile batch, output;
  if (!batch.write(lines) || !output.write("")) {
    return std::unexpected(from_errno(errno, "write " + batch.path()));
  }
  SpawnSpec spec;
  spec.program = ip;
  spec.arguments = std::move(arguments);
  spec.arguments.insert(spec.arguments.end(), {"-batch", batch.path()});
  spec.output = output.path();
  const auto child = spawn(spec);
  if (!child) return std::unexpected(child.error());
  const ChildExit end = await(*child);
  if (end.signal == SIGKILL) return fail(ErrorKind::Timeout, "ip did not end within a minute");
  if (end.code == 0) return {};
  constexpr size_t kMaxSaid = 400;
  auto said = split(to_printable(read_tail(output.path(), kMaxSaid).value_or("")), '\n');
  std::erase(said, "");
  const std::string reason = said.empty() ? "no reason given" : join(said, ", ");
  return fail(ErrorKind::Invalid, "the kernel refused a network namespace: " + reason +
                                      "; the director needs CAP_SYS_ADMIN and CAP_NET_ADMIN" +
                                      kAdvice);
}

Result<void> set_flag(const std::string& device, const char* flag) {
  const std::string path = "/proc/sys/net/ipv4/conf/" + device + "/" + flag;
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd && ::write(fd.get(), "1", 1) == 1) return {};
  const auto why = from_errno(errno, "write " + path);
  return fail(
      ErrorKind::Invalid,
      "a network namespace for each replica needs a writable /proc/sys: " + why.message + kAdvice);
}

/// /proc/sys/net shows the namespace of the thread that looks, so a thread goes there.
Result<void> let_loopback_out(const std::string& name) {
  Result<void> done;
  std::thread visitor([&done, &name] {
    const auto path = network_namespace_path(name);
    const UniqueFd inside(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!inside || ::setns(inside.get(), CLONE_NEWNET) != 0) {
      done = fail(ErrorKind::Invalid, from_errno(errno, "enter " + path.native()).message);
      return;
    }
    for (const char* device : {"all", "default", kInside}) {
      if (done) done = set_flag(device, "route_localnet");
    }
  });
  visitor.join();
  return done;
}

std::string creation(const NetworkNamespace& wanted) {
  const std::string device = network_device(wanted.name);
  return "netns add " + wanted.name + "\nlink add " + device + " type veth peer name " + kInside +
         " netns " + wanted.name + "\nlink set " + device + " addrgenmode none\n";
}

std::string inner_set_up(const NetworkNamespace& wanted, const std::string& hub) {
  const std::string inside(kInside);
  // The kernel gives lo its /8 when it comes up; a gateway inside of that would be refused.
  return "link set lo up\naddr del 127.0.0.1/8 dev lo\naddr add 127.0.0.1/32 dev lo\nlink set " +
         inside + " addrgenmode none\naddr add " + wanted.address + "/32 dev " + inside +
         "\nlink set " + inside + " up\nroute add 127.0.0.0/8 via " + hub + " dev " + inside +
         " onlink src " + wanted.address + "\n";
}

/// In the table `local`, as a route elsewhere would come after the one of all 127.0.0.0/8.
std::string outer_set_up(const NetworkNamespace& wanted, const std::string& hub) {
  const std::string device = network_device(wanted.name);
  return "link set " + device + " up\nroute add " + wanted.address + "/32 dev " + device +
         " table local scope link src " + hub + "\n";
}

Result<void> make_all(const fs::path& ip, const std::vector<NetworkNamespace>& wanted,
                      const std::string& hub) {
  std::string lines;
  for (const auto& one : wanted) lines += creation(one);
  if (auto made = run_batch(ip, {}, lines); !made) return made;
  lines.clear();
  for (const auto& one : wanted) {
    if (auto done = let_loopback_out(one.name); !done) return done;
    auto inner = run_batch(ip, {"-netns", one.name}, inner_set_up(one, hub));
    if (!inner) return inner;
    for (const char* flag : {"route_localnet", "forwarding"}) {
      if (auto done = set_flag(network_device(one.name), flag); !done) return done;
    }
    lines += outer_set_up(one, hub);
  }
  return run_batch(ip, {}, lines);
}

}  // namespace

Result<void> check_network_namespaces() {
  const auto allowed = check_allowed();
  return allowed ? Result<void>() : std::unexpected(allowed.error());
}

fs::path network_namespace_path(const std::string& name) { return fs::path(kFolder) / name; }

std::string network_device(const std::string& name) {
  constexpr size_t kDigits = 12;  // with "atq" what an interface's name may have
  return "atq" + to_hex(fnv1a(name)).substr(0, kDigits);
}

std::vector<std::string> list_network_namespaces(std::string_view prefix) {
  auto names = list_folder(kFolder).value_or(std::vector<std::string>());
  std::erase_if(names, [prefix](const std::string& name) { return !name.starts_with(prefix); });
  return names;
}

bool is_complete(const NetworkNamespace& wanted) {
  const auto address = parse_ipv4(wanted.address);
  // Its route is made last, and takes the address from our own lo.
  return address && proc::exists(network_namespace_path(wanted.name)) &&
         ::if_nametoindex(network_device(wanted.name).c_str()) != 0 &&
         !can_bind(*address, 0, Transport::Tcp, false);
}

Result<void> make_network_namespaces(const std::vector<NetworkNamespace>& wanted,
                                     const std::string& hub) {
  const auto ip = check_allowed();
  if (!ip) return std::unexpected(ip.error());
  std::vector<std::string> names;
  for (const auto& one : wanted) names.push_back(one.name);
  if (auto removed = remove_network_namespaces(names); !removed) return removed;
  auto made = make_all(*ip, wanted, hub);
  if (made) return made;
  if (auto removed = remove_network_namespaces(names); !removed) {
    made.error().message += "; " + removed.error().message;
  }
  return made;
}

Result<void> remove_network_namespaces(const std::vector<std::string>& names) {
  std::string lines;
  for (const auto& name : names) {
    const std::string device = network_device(name);
    // The kernel removes the devices of a namespace later, when it finds the time.
    if (::if_nametoindex(device.c_str()) != 0) lines += "link del " + device + "\n";
    if (proc::exists(network_namespace_path(name))) lines += "netns del " + name + "\n";
  }
  if (lines.empty()) return {};
  const auto ip = check_allowed();
  if (!ip) return fail_with("remove network namespaces", ip.error());
  const auto done = run_batch(*ip, {"-force"}, lines);
  for (const auto& name : names) {
    if (!proc::exists(network_namespace_path(name)) &&
        ::if_nametoindex(network_device(name).c_str()) == 0) {
      continue;
    }
    return fail(ErrorKind::Unavailable, "network namespace " + name + " is not removed" +
                                            (done ? std::string() : ": " + done.error().message));
  }
  return {};
}

}  // namespace atq::proc
