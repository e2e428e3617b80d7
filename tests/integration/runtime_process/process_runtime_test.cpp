// What the process runtime does beyond what every runtime does.
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sys/inotify.h>

#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

#include "src/agent/replica_folder.hpp"
#include "src/proc/cgroup.hpp"
#include "src/proc/process.hpp"
#include "src/proc/watch.hpp"
#include "src/runtimes/process/run_record.hpp"
#include "tests/conformance/runtime_suite.hpp"
#include "tests/integration/runtime_process/process_driver.hpp"

namespace atq::process {
namespace {

namespace fs = std::filesystem;
using conformance::Tool;
using conformance::Wanted;
using State = core::ReplicaState;

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class ProcessRuntimeTest : public conformance::RuntimeSuite<ProcessDriver> {
 protected:
  fs::path run_folder() const {
    return driver_.data() / "runs" / id_.uid / std::to_string(id_.number);
  }
  fs::path worker_folder(int index) const {
    return run_folder() / ("worker-" + std::to_string(index));
  }

  Result<void> begin_with(api::FrozenSpec frozen, std::vector<ports::RunFile> files = {}) {
    wanted_ = {.workers = frozen.spec.worker.replicas, .master = frozen.spec.master.has_value()};
    frozen_ = std::make_shared<const api::FrozenSpec>(std::move(frozen));
    return call(runtime().begin({.id = id_, .key = key_, .frozen = frozen_, .files = files}));
  }

  /// A spec with this script in every worker and a master that sleeps.
  api::FrozenSpec scripted(const std::string& script, int workers = 1) {
    auto frozen = driver_.spec({.workers = workers});
    frozen.spec.worker.role.command = shell(script);
    return frozen;
  }

  core::ObservedRun run_workers_to_the_end() {
    EXPECT_TRUE(call(runtime().ensure_workers(id_)));
    return wait_until(workers_are(State::Exited));
  }

  /// Waits until a tool has written what `holds` asks for.
  void wait_for_file(const fs::path& path, const std::function<bool(const std::string&)>& holds) {
    // Shared: a cancelled timer's handler runs after this function has returned.
    const auto late = std::make_shared<bool>(false);
    boost::asio::steady_timer deadline(driver_.loop(), std::chrono::seconds(20));
    deadline.async_wait([late](boost::system::error_code error) { *late = !error; });
    const auto watch =
        proc::FolderWatch::open(driver_.loop(), [](int, std::string_view, uint32_t) {});
    ASSERT_TRUE(watch);
    ASSERT_TRUE((*watch)->add(path.parent_path(), IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE));
    driver_.loop().restart();
    while (!*late && !holds(slurp(path))) driver_.loop().run_one();
    ASSERT_FALSE(*late) << path << " has:\n" << slurp(path);
  }

  void kill_agent(const fs::path& replica) {
    const auto agent = agent::read_agent(replica.native());
    ASSERT_TRUE(agent) << agent.error().message;
    ASSERT_EQ(::kill(agent->pid, SIGKILL), 0);
  }

  bool anything_of_the_run_lives() const {
    const std::string mark = "ATQ_OUT=" + (run_folder() / "").native();
    return !proc::find_processes([&mark](int pid, const proc::Stat&) {
              return proc::has_environment(pid, mark, proc::Match::Prefix);
            }).empty();
  }
};

TEST_F(ProcessRuntimeTest, ReplicasGetTheirEnvironmentAndFiles) {
  auto frozen = scripted("env > $ATQ_OUT/env; cat plan.txt > $ATQ_OUT/plan; exit 0", 2);
  frozen.plan = "plan.txt";
  frozen.spec.worker.role.env = {{.name = "GREETING", .value = "hi from $(ATQ_ADDRESS)"}};
  frozen.spec.worker.role.ports = {{.name = "rmi-port", .port = 1099}};
  frozen.spec.master->ports = {{.name = "control", .port = 5557}};
  frozen.spec.master->command = shell("env > $ATQ_OUT/env; exec sleep 600");
  ASSERT_TRUE(begin_with(std::move(frozen),
                         {{.name = "plan.txt", .content = "for both"},
                          {.role = core::Role::Worker, .name = "plan.txt", .content = "mine"}}));
  const auto seen = run_workers_to_the_end();
  EXPECT_EQ(slurp(worker_folder(1) / "out/plan"), "mine");
  const std::string env = slurp(worker_folder(1) / "out/env");
  for (const std::string& line :
       {std::string("ATQ_LOADTEST=conformance"), std::string("ATQ_RUN=1"),
        std::string("ATQ_ROLE=worker"), std::string("ATQ_WORKER_INDEX=1"),
        std::string("ATQ_WORKER_COUNT=2"), "ATQ_ADDRESS=" + seen.workers[1].address,
        "GREETING=hi from " + seen.workers[1].address, std::string("ATQ_PORT_RMI_PORT=1099"),
        std::string("ATQ_MASTER_PORT_CONTROL=5557"),
        "ATQ_PLAN=" + (worker_folder(1) / "data/plan.txt").native()}) {
    EXPECT_NE(("\n" + env).find("\n" + line + "\n"), std::string::npos) << line << " in\n" << env;
  }
  start_master();
  wait_for_file(run_folder() / "master/out/env", [](const std::string& text) {
    return text.find("REMOTES=") != std::string::npos && text.ends_with("\n");
  });
  const std::string addresses = seen.workers[0].address + "," + seen.workers[1].address;
  const std::string of_master = slurp(run_folder() / "master/out/env");
  EXPECT_NE(of_master.find("WORKER_CSV_VIPS=" + addresses + "\n"), std::string::npos);
  EXPECT_NE(of_master.find("REMOTES=" + addresses + "\n"), std::string::npos);
  EXPECT_NE(of_master.find("ATQ_WORKER_ENDPOINTS=" + seen.workers[0].address + ":1099,"),
            std::string::npos);
}

TEST_F(ProcessRuntimeTest, TheDirectorsOwnVariablesStayWithIt) {
  ASSERT_EQ(::setenv("SECRET_TOKEN", "swordfish", 1), 0);
  ASSERT_TRUE(begin_with(scripted("env > $ATQ_OUT/env")));
  run_workers_to_the_end();
  EXPECT_EQ(slurp(worker_folder(0) / "out/env").find("swordfish"), std::string::npos);
}

constexpr char kListen[] =
    "exec python3 -c \"import os, socket, time\n"
    "s = socket.create_server((os.environ['ATQ_ADDRESS'], int(os.environ['ATQ_PORT_RMI'])))\n"
    "time.sleep(600)\"";

TEST_F(ProcessRuntimeTest, AllocatedPortsReachReadinessAndChecks) {
  auto frozen = scripted(kListen, 2);
  frozen.allocate_ports = true;
  frozen.spec.worker.role.ports = {{.name = "rmi", .port = 1099}};
  frozen.spec.worker.readiness = api::Readiness{.tcp_port = 1099};
  frozen.spec.health_check.checks = {
      {.name = "rmi", .check = api::TcpCheck{1099}, .success_threshold = 2}};
  ASSERT_TRUE(begin_with(std::move(frozen)));
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  const auto waiting = wait_until(workers_are(State::Running));
  if (!waiting.workers[0].ready) {
    EXPECT_TRUE(waiting.workers[0].not_ready_because.ends_with("not yet accepting"))
        << waiting.workers[0].not_ready_because;
  }
  wait_until(workers_ready());
  ASSERT_TRUE(call(runtime().ensure_checks(id_)));
  wait_until([](const core::ObservedRun& seen) {
    return seen.checks.size() == 2 && seen.checks[0].passed && seen.checks[1].passed;
  });
  const auto record = decode_run_record(slurp(run_folder() / "run.json"));
  ASSERT_TRUE(record);
  EXPECT_NE(record->workers[0].ports[0].actual, record->workers[1].ports[0].actual);
  EXPECT_NE(record->workers[0].ports[0].actual, 1099);
}

TEST_F(ProcessRuntimeTest, AFailingCheckSaysWhy) {
  auto frozen = scripted("exec sleep 600");
  frozen.spec.health_check.checks = {{.name = "rmi", .check = api::TcpCheck{9}}};
  ASSERT_TRUE(begin_with(std::move(frozen)));
  start_workers();
  ASSERT_TRUE(call(runtime().ensure_checks(id_)));
  const auto seen = wait_until([](const core::ObservedRun& run) {
    return run.checks.size() == 1 && !run.checks[0].last_error.empty();
  });
  EXPECT_FALSE(seen.checks[0].passed);
  EXPECT_GE(seen.checks[0].tries, 1);
  ASSERT_TRUE(call(runtime().stop_checks(id_)));
}

TEST_F(ProcessRuntimeTest, AKilledProberIsStartedAgain) {
  auto frozen = scripted(kListen);
  frozen.spec.worker.role.ports = {{.name = "rmi", .port = 19099}};
  frozen.spec.health_check.checks = {
      {.name = "gate",
       .check = api::ExecCheck{.command = {"/bin/sh", "-c", "test -e $ATQ_OUT/open"}}}};
  ASSERT_TRUE(begin_with(std::move(frozen)));
  start_workers();
  ASSERT_TRUE(call(runtime().ensure_checks(id_)));
  wait_until([](const core::ObservedRun& run) {
    return run.checks.size() == 1 && run.checks[0].tries > 0;
  });
  const auto prober = agent::decode_started(slurp(run_folder() / "checks/prober.json"));
  ASSERT_TRUE(prober);
  ASSERT_EQ(::kill(prober->pid, SIGKILL), 0);
  std::ofstream(run_folder() / "checks/out/open") << "open";
  wait_until([](const core::ObservedRun& run) { return run.checks[0].passed; });
}

TEST_F(ProcessRuntimeTest, TheEndOfAKilledAgentIsSeenAndItsToolGone) {
  ASSERT_TRUE(begin_with(scripted("setsid sleep 600 & exec sleep 600", 2)));
  start_workers();
  const auto before = std::chrono::steady_clock::now();
  kill_agent(worker_folder(1));
  const auto seen = wait_until(
      [](const core::ObservedRun& run) { return run.workers[1].state == State::Exited; });
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
  EXPECT_EQ(seen.workers[1].exit->code, 137);
  EXPECT_EQ(seen.workers[1].exit->signal, SIGKILL);
  EXPECT_EQ(seen.workers[1].exit->diagnosis, "its agent was killed");
  EXPECT_EQ(seen.workers[0].state, State::Running);
  const std::string mark = "ATQ_OUT=" + (worker_folder(1) / "out").native();
  EXPECT_TRUE(proc::find_processes([&mark](int pid, const proc::Stat&) {
                return proc::has_environment(pid, mark);
              }).empty());
}

TEST_F(ProcessRuntimeTest, AnAgentKilledWhileNobodyLookedIsSeenByTheNextDirector) {
  ASSERT_TRUE(begin_with(scripted("exec sleep 600", 2)));
  start_workers();
  conformance::run(driver_.loop(), runtime().stop());
  kill_agent(worker_folder(0));
  restart();
  const auto seen = wait_until(
      [](const core::ObservedRun& run) { return run.workers[0].state == State::Exited; });
  EXPECT_EQ(seen.workers[0].exit->code, 137);
  EXPECT_EQ(seen.workers[1].state, State::Running);
}

TEST_F(ProcessRuntimeTest, AWorkerStartsOnceWhateverHappensToTheDirector) {
  ASSERT_TRUE(begin_with(scripted("echo started >> $ATQ_OUT/starts; exec sleep 600", 3)));
  for (int turn = 0; turn < 4; ++turn) {
    ASSERT_TRUE(call(runtime().ensure_workers(id_)));
    restart();
    ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  }
  wait_until(workers_are(State::Running));
  for (int i = 0; i < 3; ++i) {
    wait_for_file(worker_folder(i) / "out/starts",
                  [](const std::string& text) { return text.ends_with("\n"); });
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(slurp(worker_folder(i) / "out/starts"), "started\n");
}

TEST_F(ProcessRuntimeTest, AMasterReleasedJustBeforeTheDirectorDiedIsStarted) {
  begin({});
  start_workers();
  ASSERT_TRUE(call(runtime().ensure_master(id_)));
  const auto version = observe()->version;
  conformance::run(driver_.loop(), runtime().stop());
  const RunFolder folder{run_folder()};
  fs::rename(folder.inert(core::Role::Master, version), folder.released(core::Role::Master));
  restart();
  wait_until(master_is(State::Running));
}

TEST_F(ProcessRuntimeTest, AStubbornToolIsKilledAfterTheGrace) {
  auto frozen = scripted("trap '' TERM; echo up > $ATQ_OUT/up; while :; do sleep 1; done");
  frozen.spec.run_policy.stop_grace_seconds = 1;
  frozen.spec.worker.readiness = api::Readiness{};
  ASSERT_TRUE(begin_with(std::move(frozen)));
  start_workers();
  wait_for_file(worker_folder(0) / "out/up",
                [](const std::string& text) { return text == "up\n"; });
  ASSERT_TRUE(call(runtime().stop_role(id_, core::Role::Worker, core::StopMode::Graceful,
                                       std::chrono::seconds(1))));
  const auto seen = wait_until(workers_are(State::Exited));
  EXPECT_EQ(seen.workers[0].exit->signal, SIGKILL);
  wait_until([this](const core::ObservedRun&) { return !anything_of_the_run_lives(); });
}

TEST_F(ProcessRuntimeTest, AMissingToolIsNamed) {
  auto frozen = scripted("");
  frozen.spec.worker.role.command = {"no-such-tool", "--flag"};
  ASSERT_TRUE(begin_with(std::move(frozen)));
  const auto seen = run_workers_to_the_end();
  EXPECT_EQ(seen.workers[0].exit->code, agent::kCannotStart);
  EXPECT_NE(seen.workers[0].exit->diagnosis.find("no-such-tool"), std::string::npos)
      << seen.workers[0].exit->diagnosis;
}

TEST_F(ProcessRuntimeTest, TheProfilesDiagnosisExplainsTheEnd) {
  auto frozen = scripted("echo \"ModuleNotFoundError: No module named 'zeep'\" >&2; exit 1");
  frozen.worker_diagnoses = {{.pattern = "No module named '(\\w+)'",
                              .message = "the plan needs Python's \\1, which is not installed"}};
  ASSERT_TRUE(begin_with(std::move(frozen)));
  const auto seen = run_workers_to_the_end();
  EXPECT_EQ(seen.workers[0].exit->diagnosis,
            "the plan needs Python's zeep, which is not installed");
  ASSERT_EQ(seen.workers[0].exit->last_lines.size(), 1U);
}

TEST_F(ProcessRuntimeTest, StatementsOfMasterlessWorkersAreSummed) {
  auto frozen = driver_.spec({.workers = 3, .master = false});
  frozen.spec.worker.role.command = shell("echo requests=10 failures=$ATQ_WORKER_INDEX rps=1.5");
  frozen.closing.pattern = conformance::kStatementPattern;
  ASSERT_TRUE(begin_with(std::move(frozen)));
  start_workers();
  release(core::Role::Worker);
  wait_until(workers_are(State::Exited));
  ASSERT_TRUE(call(runtime().collect(id_)));
  EXPECT_EQ(*observe()->statement, (core::Statement{30, 3, "4.5"}));
}

TEST_F(ProcessRuntimeTest, WhatCannotBeGivenIsRefusedAtTheBegin) {
  auto secret = scripted("exit 0");
  secret.spec.worker.role.env = {
      {.name = "TOKEN", .secret_key_ref = api::SecretKeyRef{"vault", "token"}}};
  const auto refused = begin_with(std::move(secret));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Invalid);
  EXPECT_NE(refused.error().message.find("TOKEN"), std::string::npos);
  auto limit = scripted("exit 0");
  limit.spec.worker.role.resources.limits["memory"] = "much";
  EXPECT_EQ(begin_with(std::move(limit)).error().kind, ErrorKind::Invalid);
  auto file = begin_with(scripted("exit 0"), {{.name = "../escape", .content = "x"}});
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, ErrorKind::Invalid);
  EXPECT_FALSE(observe());
  EXPECT_TRUE(begin_with(scripted("exit 0")));
}

TEST_F(ProcessRuntimeTest, APortTakenByTheWildcardIsSaid) {
  auto frozen = scripted("exit 0");
  frozen.spec.worker.role.ports = {{.name = "web", .port = 18099}};
  boost::asio::ip::tcp::acceptor taken(driver_.loop());
  taken.open(boost::asio::ip::tcp::v4());
  taken.bind({boost::asio::ip::address_v4::any(), 18099});
  taken.listen();
  const auto refused = begin_with(std::move(frozen));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
}

TEST_F(ProcessRuntimeTest, SixtyFourWorkersAreSpawnedQuickly) {
  ASSERT_TRUE(begin_with(scripted("exec sleep 600", 64)));
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(call(runtime().ensure_workers(id_)));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - before);
  RecordProperty("spawn_64_ms", static_cast<int>(took.count()));
  EXPECT_LT(took, std::chrono::seconds(2));  // the figure's bar stands in the benchmarks
  wait_until(workers_are(State::Running));
}

TEST_F(ProcessRuntimeTest, ARunWithADamagedRecordIsEndedAndKeptForPeople) {
  ASSERT_TRUE(begin_with(scripted("exec sleep 600", 2)));
  start_workers();
  conformance::run(driver_.loop(), runtime().stop());
  std::ofstream(run_folder() / "run.json") << "{\"uid\": 7";
  restart();
  EXPECT_FALSE(observe());
  EXPECT_FALSE(anything_of_the_run_lives());
  EXPECT_TRUE(fs::exists(worker_folder(0) / "stdout.log"));
  ASSERT_EQ(driver_.warnings().size(), 1U);
  EXPECT_NE(driver_.warnings()[0].find("orphaned run"), std::string::npos);
  // The same run may be begun anew.
  EXPECT_TRUE(begin_with(scripted("exec sleep 600", 2)));
  EXPECT_TRUE(observe());
}

TEST_F(ProcessRuntimeTest, StrangeThingsInItsFolderDisturbNothing) {
  const fs::path runs = driver_.data() / "runs";
  const fs::path outside = driver_.data() / "outside";
  fs::create_directories(outside / "7");
  std::ofstream(outside / "7" / "precious") << "data";
  fs::create_directory_symlink(outside, runs / "linked");
  fs::create_directories(runs / "uid" / "not-a-number");
  fs::create_directory_symlink(outside / "7", runs / "uid" / "5");
  std::ofstream(runs / "file") << "x";
  restart();
  EXPECT_TRUE(runtime().known_runs().empty());
  EXPECT_TRUE(fs::exists(outside / "7" / "precious"));
  EXPECT_GE(driver_.warnings().size(), 3U);
  // A tool's links are removed, not what they point to.
  ASSERT_TRUE(begin_with(scripted("ln -s " + outside.native() + " $ATQ_OUT/trap")));
  run_workers_to_the_end();
  ASSERT_TRUE(call(runtime().remove(id_)));
  EXPECT_FALSE(fs::exists(run_folder()));
  EXPECT_TRUE(fs::exists(outside / "7" / "precious"));
}

TEST_F(ProcessRuntimeTest, RemoveKillsWhatEscapedItsSession) {
  ASSERT_TRUE(begin_with(scripted("setsid sh -c 'sleep 600 & sleep 600' & exec sleep 600", 2)));
  start_workers();
  ASSERT_TRUE(call(runtime().remove(id_)));
  EXPECT_FALSE(anything_of_the_run_lives());
  EXPECT_FALSE(fs::exists(run_folder().parent_path()));
}

TEST_F(ProcessRuntimeTest, AMemoryLimitIsEnforcedAndNamed) {
  if (!proc::Cgroups::detect().can_limit_memory()) GTEST_SKIP() << "no control groups here";
  auto frozen = scripted("exec python3 -c \"b = b'x' * (256 << 20)\"");
  frozen.spec.worker.role.resources.limits["memory"] = "64Mi";
  ASSERT_TRUE(begin_with(std::move(frozen)));
  const auto seen = run_workers_to_the_end();
  EXPECT_EQ(seen.workers[0].exit->diagnosis, "out of memory (limit 64Mi)");
}

TEST_F(ProcessRuntimeTest, ReadingLogsByTailAndWhileTheyGrow) {
  ASSERT_TRUE(
      begin_with(scripted("seq 1 100; while test ! -e $ATQ_OUT/go; do sleep 0.05; done; "
                          "echo last words >&2")));
  start_workers();
  wait_for_file(worker_folder(0) / "stdout.log",
                [](const std::string& text) { return text.ends_with("100\n"); });
  std::string tail;
  const auto read_tail = [&tail](std::string_view piece) -> Task<bool> {
    tail += piece;
    co_return true;
  };
  ASSERT_TRUE(call(runtime().logs(id_, {.role = core::Role::Worker, .tail_lines = 3}, read_tail)));
  EXPECT_EQ(tail, "98\n99\n100\n");
  std::string all;
  const auto follow = [this, &all](std::string_view piece) -> Task<bool> {
    all += piece;
    std::ofstream(worker_folder(0) / "out/go") << "go";
    co_return true;
  };
  ASSERT_TRUE(call(runtime().logs(id_, {.role = core::Role::Worker, .follow = true}, follow)));
  EXPECT_TRUE(all.starts_with("1\n2\n"));
  EXPECT_TRUE(all.ends_with("last words\n")) << all;
}

}  // namespace
}  // namespace atq::process
