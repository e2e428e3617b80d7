// reconcile() with the status built, on one core: an equal mix of all phases, each a run of ten
// workers and a master at rest in that phase, as a director sees it most of the time. The bar is
// items_per_second of BM_ReconcileAllPhases.

#include <array>

#include <benchmark/benchmark.h>

#include "controller/core/reconcile.hpp"

namespace atq::core {
namespace {

using api::Phase;

constexpr int kWorkers = 10;
constexpr TimePoint kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 21};

std::shared_ptr<const api::FrozenSpec> frozen_spec() {
  auto frozen = std::make_shared<api::FrozenSpec>();
  api::LoadTestSpec& spec = frozen->spec;
  spec.tool = "jmeter";
  spec.run_nonce = "1";
  spec.parameters = {{"threads", "50"}, {"host", "shop.internal"}};
  spec.worker.replicas = kWorkers;
  spec.worker.role.command = {"jmeter", "-s"};
  spec.master.emplace();
  spec.master->command = {"jmeter", "-n"};
  spec.health_check.checks = {{.name = "rmi", .check = api::TcpCheck{1099}},
                              {.name = "http", .check = api::HttpCheck{.port = 8080}}};
  spec.thresholds = {"ratio(failures) <= 1%", "rate(requests) >= 900/s"};
  spec.run_policy.cleanup_policy = api::CleanupPolicy::Never;
  frozen->closing.pattern = "summary = (?P<requests>\\d+)";
  frozen->workers_exit_alone = true;
  return frozen;
}

std::shared_ptr<api::LoadTest> new_test() {
  auto test = std::make_shared<api::LoadTest>();
  test->metadata.name = "checkout";
  test->metadata.uid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
  test->metadata.generation = 7;
  for (int64_t number = 9; number > 0; --number) {
    test->status.history.push_back({number, api::Verdict::Passed, kNow});
  }
  return test;
}

/// What the runtime shows of a run that has come as far as `phase` and waits there.
ObservedRun observed_in(Phase phase) {
  ObservedRun run{.number = 1, .network_ready = true, .version = "17"};
  for (int i = 0; i < kWorkers; ++i) {
    Replica worker{.index = i, .state = ReplicaState::Starting};
    const bool last = i == kWorkers - 1;
    if (phase != Phase::Discovery || !last) worker.address = "127.77.100." + std::to_string(i + 1);
    if (phase > Phase::Discovery && !(phase == Phase::Workers && last)) {
      worker.state = ReplicaState::Running;
      worker.ready = phase > Phase::Workers || i % 2 == 0;
      if (!worker.ready) worker.not_ready_because = "tcp 1099 refused (3 tries)";
    }
    run.workers.push_back(std::move(worker));
  }
  if (phase < Phase::HealthCheck) return run;
  run.master = Replica{.state = ReplicaState::Inert, .address = "127.77.101.1"};
  run.checks_exist = phase == Phase::HealthCheck;
  for (const char* name : {"rmi", "http"}) {
    for (int i = 0; i < kWorkers; ++i) {
      CheckResult check{
          .name = name, .worker = i, .passed = phase > Phase::HealthCheck || i % 3 > 0};
      check.tries = 4;
      if (!check.passed) check.last_error = "tcp 1099 refused";
      run.checks.push_back(std::move(check));
    }
  }
  if (phase < Phase::Master) return run;
  run.master->state = ReplicaState::Running;
  run.start_skew_microseconds = 3'100;
  if (phase < Phase::Collecting) return run;
  run.master->state = ReplicaState::Exited;
  run.master->exit = Exit{.code = 0, .at = kNow, .ran_for = std::chrono::seconds{90}};
  run.statement = Statement{.requests = 120'000, .failures = 12, .requests_per_second = "1333.3"};
  run.results_collected = true;
  if (phase < Phase::Finished) return run;
  for (Replica& worker : run.workers) {
    worker.state = ReplicaState::Exited;
    worker.exit = Exit{.code = 0, .at = kNow};
  }
  return run;
}

/// Reconciles, writing the status back, until nothing changes any more.
void settle(World& world, TimePoint now) {
  for (int i = 0; i < 10; ++i) {
    auto next = std::make_shared<api::LoadTest>(*world.test);
    next->status = reconcile(world, now).status;
    if (next->status == world.test->status) return;
    world.test = std::move(next);
  }
}

/// A world at rest in that phase, with the status that such a run has by then.
World world_in(Phase phase) {
  World world;
  auto test = new_test();
  world.resolved = frozen_spec();
  test->spec = world.resolved->spec;
  world.admission.granted = phase != Phase::Queued;
  if (phase == Phase::Queued) world.admission = {.position = 2, .running = 4, .limit = 4};
  world.capabilities.runtime_name = "process";
  if (phase == Phase::Suspended) test->spec.run_policy.suspend = true;
  if (phase == Phase::Pending) {
    world.problems = {
        {.path = "spec.worker.replicas", .message = "found \"x\", expected a number"}};
  }
  world.test = std::move(test);
  settle(world, kNow);
  for (const Phase step : {Phase::Discovery, Phase::Workers, Phase::HealthCheck, Phase::Master,
                           Phase::Collecting, Phase::Finished}) {
    if (phase < Phase::Discovery || step > phase) break;
    world.run = world.resolved;
    world.observed = {observed_in(step)};
    settle(world, kNow + std::chrono::seconds{1});
  }
  if (world.test->status.phase != phase) std::abort();
  return world;
}

constexpr std::array kPhases = {Phase::Pending,   Phase::Queued,     Phase::Suspended,
                                Phase::Discovery, Phase::Workers,    Phase::HealthCheck,
                                Phase::Master,    Phase::Collecting, Phase::Finished};

void BM_ReconcileAllPhases(benchmark::State& state) {
  std::vector<World> worlds;
  for (const Phase phase : kPhases) worlds.push_back(world_in(phase));
  const TimePoint now = kNow + std::chrono::seconds{2};
  for (auto _ : state) {
    for (const World& world : worlds) benchmark::DoNotOptimize(reconcile(world, now));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(worlds.size()));
}
BENCHMARK(BM_ReconcileAllPhases);

void reconcile_in(benchmark::State& state, Phase phase) {
  const World world = world_in(phase);
  const TimePoint now = kNow + std::chrono::seconds{2};
  for (auto _ : state) benchmark::DoNotOptimize(reconcile(world, now));
  state.SetItemsProcessed(state.iterations());
}

const bool kRegistered = [] {
  for (const Phase phase : kPhases) {
    benchmark::RegisterBenchmark(std::string(api::to_string(phase)).c_str(), reconcile_in, phase);
  }
  return true;
}();

}  // namespace
}  // namespace atq::core

BENCHMARK_MAIN();
