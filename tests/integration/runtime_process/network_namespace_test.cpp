// A network namespace for each replica. As root only: elsewhere all but the refusal is skipped.
#include <fstream>
#include <iterator>
#include <net/if.h>
#include <sched.h>
#include <thread>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include "src/runtimes/process/networks.hpp"
#include "tests/conformance/runtime_suite.hpp"
#include "tests/integration/runtime_process/process_driver.hpp"

namespace atq::process {
namespace {

namespace fs = std::filesystem;
using boost::asio::ip::tcp;
using State = core::ReplicaState;

/// Why this machine gives no namespace; "" where it does.
std::string why_not() {
  if (::geteuid() != 0) return "not root";
  if (const auto allowed = proc::check_network_namespaces(); !allowed) {
    return allowed.error().message;
  }
  if (::access("/proc/sys/net/ipv4/conf/lo/forwarding", W_OK) != 0) return "/proc/sys is read-only";
  bool may = false;
  std::thread([&may] { may = ::unshare(CLONE_NEWNET) == 0; }).join();
  return may ? "" : "the kernel refuses a network namespace";
}

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Answers every connection to port 18123 of the wildcard with its own address.
constexpr char kServe[] =
    "exec python3 -c \"import os, socket\n"
    "s = socket.create_server(('0.0.0.0', 18123))\n"
    "while True:\n"
    "  c = s.accept()[0]\n"
    "  c.sendall(os.environ['ATQ_ADDRESS'].encode())\n"
    "  c.close()\"";

/// What it gets from each HOST:PORT of its arguments, a line each.
constexpr char kReach[] =
    "exec python3 -c \"import os, socket\n"
    "for where in (os.environ['ATQ_WORKER_ENDPOINTS'] + ',' + os.environ['TARGETS']).split(','):\n"
    "  host, port = where.split(':')\n"
    "  try:\n"
    "    c = socket.create_connection((host, int(port)), 5)\n"
    "    print(where, c.recv(99).decode() if port == '18123' else 'reached', flush=True)\n"
    "  except OSError as e: print(where, type(e).__name__, flush=True)\"";

class NetworkNamespaceTest : public conformance::RuntimeSuite<ProcessDriver> {
 protected:
  void SetUp() override {
    if (const auto reason = why_not(); !reason.empty()) GTEST_SKIP() << reason;
  }
  void TearDown() override {
    [[maybe_unused]] const auto removed =
        proc::remove_network_namespaces(proc::list_network_namespaces(network_prefix(data())));
  }

  const fs::path& data() const { return driver_.data(); }

  api::FrozenSpec isolated(const std::string& script) {
    auto frozen = driver_.spec({.workers = 2});
    frozen.spec.process.network_namespace = true;
    frozen.spec.worker.role.command = shell(script);
    frozen.spec.worker.role.ports = {{.name = "web", .port = 18123}};
    return frozen;
  }

  Result<void> begin_with(api::FrozenSpec frozen) {
    wanted_ = {.workers = frozen.spec.worker.replicas};
    frozen_ = std::make_shared<const api::FrozenSpec>(std::move(frozen));
    return call(runtime().begin({.id = id_, .key = key_, .frozen = frozen_}));
  }

  std::vector<std::string> names() const {
    return proc::list_network_namespaces(network_prefix(data()));
  }

  tcp::acceptor listen_at(const std::string& address) {
    return {driver_.loop(), tcp::endpoint(boost::asio::ip::make_address(address), 0)};
  }
};

TEST_F(NetworkNamespaceTest, WorkersShareAPortOfTheWildcardAndAreReached) {
  auto target = listen_at("127.99.0.1");
  auto host_only = listen_at("127.0.0.1");
  const auto endpoint = [](const tcp::acceptor& at) {
    return at.local_endpoint().address().to_string() + ":" +
           std::to_string(at.local_endpoint().port());
  };
  auto frozen = isolated(kServe);
  frozen.allocate_ports = true;
  frozen.spec.worker.readiness = api::Readiness{.tcp_port = 18123};
  frozen.spec.health_check.checks = {{.name = "web", .check = api::TcpCheck{18123}}};
  frozen.spec.master->command = shell(kReach);
  frozen.spec.master->env = {
      {.name = "TARGETS", .value = endpoint(target) + "," + endpoint(host_only)}};
  const auto begun = begin_with(std::move(frozen));
  ASSERT_TRUE(begun) << begun.error().message;
  ASSERT_EQ(names().size(), 3U);
  start_workers();
  const auto ready = wait_until(workers_ready());
  ASSERT_TRUE(call(runtime().ensure_checks(id_)));
  wait_until([](const core::ObservedRun& seen) {
    return seen.checks.size() == 2 && seen.checks[0].passed && seen.checks[1].passed;
  });
  start_master();
  wait_until(master_is(State::Exited));
  std::string expected;
  for (const auto& worker : ready.workers) {
    expected += worker.address + ":18123 " + worker.address + "\n";
  }
  expected += endpoint(target) + " reached\n" + endpoint(host_only) + " ConnectionRefusedError\n";
  EXPECT_EQ(slurp(folder_of(data(), id_).replica(core::Role::Master, 0) / "stdout.log"), expected);
}

TEST_F(NetworkNamespaceTest, RemoveLeavesNoNamespaceAndNoDevice) {
  ASSERT_TRUE(begin_with(isolated("setsid sleep 600 & exec sleep 600")));
  start_workers();
  const auto made = names();
  ASSERT_EQ(made.size(), 3U);
  for (const auto& name : made) {
    EXPECT_NE(::if_nametoindex(proc::network_device(name).c_str()), 0U) << name;
  }
  const auto address = proc::parse_ipv4(observe()->workers[0].address);
  ASSERT_TRUE(address);
  EXPECT_FALSE(proc::can_bind(*address, 0, proc::Transport::Tcp, false));
  const auto removed = call(runtime().remove(id_));
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(names().empty());
  for (const auto& name : made) {
    EXPECT_EQ(::if_nametoindex(proc::network_device(name).c_str()), 0U) << name;
  }
  EXPECT_TRUE(proc::can_bind(*address, 0, proc::Transport::Tcp, false));
}

TEST_F(NetworkNamespaceTest, ANewDirectorKeepsThoseOfItsRunsAndSweepsTheRest) {
  ASSERT_TRUE(begin_with(isolated("exec sleep 600")));
  start_workers();
  const auto mine = names();
  const proc::NetworkNamespace orphan{network_name(data(), {"lost", 9}, core::Role::Worker, 0),
                                      "127.76.5.1"};
  const auto made = proc::make_network_namespaces({orphan}, "127.76.5.0");
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_EQ(names().size(), mine.size() + 1);
  restart();
  EXPECT_EQ(names(), mine);
  EXPECT_EQ(::if_nametoindex(proc::network_device(orphan.name).c_str()), 0U);
  wait_until(workers_are(State::Running));
  ASSERT_TRUE(call(runtime().remove(id_)));
  EXPECT_TRUE(names().empty());
  EXPECT_TRUE(driver_.warnings().empty());
}

TEST_F(NetworkNamespaceTest, WhatABootTookIsMadeAgain) {
  ASSERT_TRUE(begin_with(isolated("exec sleep 600")));
  const auto made = names();
  ASSERT_TRUE(proc::remove_network_namespaces({made[0], made[2]}));
  restart();
  EXPECT_EQ(names(), made);
  start_workers();
}

TEST_F(NetworkNamespaceTest, HalfOfThemIsNone) {
  const std::string name = network_name(data(), id_, core::Role::Worker, 0);
  const auto made = proc::make_network_namespaces(
      {{name, "127.76.6.1"}, {name + "0", "127.76.6.777"}}, "127.76.6.0");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::Invalid);
  EXPECT_NE(made.error().message.find("127.76.6.777"), std::string::npos) << made.error().message;
  EXPECT_TRUE(names().empty());
}

class NoNetworkNamespaceTest : public NetworkNamespaceTest {
 protected:
  void SetUp() override {}
};

TEST_F(NoNetworkNamespaceTest, WhoIsNotRootIsToldSo) {
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::seteuid(65'534), 0);
  }
  const auto refused = begin_with(isolated("exec sleep 600"));
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Invalid);
  EXPECT_NE(refused.error().message.find("run the director as root"), std::string::npos)
      << refused.error().message;
  EXPECT_FALSE(observe());
}

}  // namespace
}  // namespace atq::process
