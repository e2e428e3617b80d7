// What the ended roles left, and the end of a run.

#include <utility>

#include <nlohmann/json.hpp>

#include "controller/core/statement.hpp"
#include "src/runtimes/kubernetes/runtime_impl.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

constexpr size_t kTailBytes = 256 * 1024;
constexpr std::chrono::seconds kRemoveTime{50};

bool is_clean(const core::Exit& exit) { return exit.code == 0 && exit.signal == 0; }

}  // namespace

AsyncResult<std::string> KubernetesRuntime::Impl::read_log(std::string ns, std::string pod) {
  kube::Call call{.target =
                      kube::with_query(kube::path_of(kube::kPods, ns, pod, "log"),
                                       {{"container", kMainContainer}, {"tailLines", "2000"}})};
  call.timeout = std::chrono::seconds(20);
  const auto text = std::make_shared<std::string>();
  std::function<bool(std::string_view)> sink = [text](std::string_view piece) {
    text->append(piece);
    if (text->size() > 2 * kTailBytes) text->erase(0, text->size() - kTailBytes);
    return true;
  };
  auto streaming = stream_log(std::move(call), std::move(sink));
  const auto streamed = co_await std::move(streaming);
  if (streamed) co_return std::move(*text);
  // The pod is gone, or its container never started: there is nothing to read.
  const auto kind = streamed.error().kind;
  if (kind == ErrorKind::NotFound || kind == ErrorKind::Invalid) co_return std::string();
  co_return std::unexpected(streamed.error());
}

AsyncResult<Collected> KubernetesRuntime::Impl::read_results(Found found) {
  const bool masterless = !found.frozen->spec.master;
  const Part part = masterless ? Part::Worker : Part::Master;
  const auto role = masterless ? core::Role::Worker : core::Role::Master;
  const int count = masterless ? found.frozen->spec.worker.replicas : 1;
  const auto& diagnoses =
      masterless ? found.frozen->worker_diagnoses : found.frozen->master_diagnoses;
  const std::string& pattern = found.frozen->closing.pattern;
  Collected collected;
  std::vector<core::Statement> statements;
  for (int i = 0; i < count; ++i) {
    const RunObjects* run = cache_.find(found.key);
    if (run == nullptr) break;
    const PodView* pod = pod_of(*run, part, i);
    const auto end = run->ends.find({part, i});
    const bool unexplained = end != run->ends.end() && !is_clean(end->second.exit) &&
                             explain(end->second, diagnoses).diagnosis.empty() &&
                             !diagnoses.empty();
    if (pod == nullptr || (pattern.empty() && !unexplained)) continue;
    auto reading = read_log(found.key.ns, pod->name);
    const auto output = co_await std::move(reading);
    if (!output) co_return std::unexpected(output.error());
    if (const auto one = core::read_statement(*output, pattern)) statements.push_back(*one);
    if (!unexplained) continue;
    if (auto told = core::diagnose(*output, diagnoses); !told.empty()) {
      collected.diagnoses[replica_key(role, i)] = std::move(told);
    }
  }
  collected.statement = core::sum(statements);
  co_return collected;
}

AsyncResult<void> KubernetesRuntime::Impl::collect(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  if (!cache_.find(found->key)->service->collected.empty()) co_return Result<void>();
  auto reading = read_results(*found);
  const auto collected = co_await std::move(reading);
  if (!collected) co_return std::unexpected(collected.error());
  const RunObjects* run = cache_.find(found->key);
  if (run == nullptr || !run->service) co_return fail(ErrorKind::NotFound, "the run is gone");
  Json change = {
      {"metadata", {{"annotations", {{std::string(kCollectedAnnotation), encode(*collected)}}}}}};
  auto patching = patch(Kind::Service, found->key.ns, run->service->name, std::move(change),
                        std::string(kube::kMergePatch));
  auto done = co_await std::move(patching);
  co_return done;
}

AsyncResult<void> KubernetesRuntime::Impl::remove(core::RunId id) {
  const Busy busy(*this);
  if (stopping_) co_return fail(ErrorKind::Canceled, "the kubernetes runtime is stopping");
  const auto key = find(id);
  if (!key) co_return Result<void>();
  if (const auto& service = cache_.find(*key)->service; service && !service->deleting) {
    const std::string name = service->name;
    auto deleting =
        kube::delete_object(client_, kube::kServices, key->ns, name, {.uid = service->uid});
    const auto deleted = co_await std::move(deleting);
    if (!deleted && deleted.error().kind != ErrorKind::NotFound) {
      co_return std::unexpected(deleted.error());
    }
  }
  // Its Jobs and their pods follow, with all the grace that pods have; nobody waits for what a
  // run that is removed still has to say.
  const RunObjects* run = cache_.find(*key);
  bool alive = false;
  if (run != nullptr) {
    for (const auto& [name, pod] : run->pods) alive = alive || pod.alive();
  }
  if (alive) {
    auto killing = kill_pods(*key, std::nullopt);
    const auto killed = co_await std::move(killing);
    if (!killed) co_return killed;
  }
  const SteadyTime deadline = std::chrono::steady_clock::now() + kRemoveTime;
  while (cache_.find(*key) != nullptr && !stopping_) {
    if (std::chrono::steady_clock::now() >= deadline) {
      std::string left;
      for (const auto& [name, pod] : cache_.find(*key)->pods) left += " pod " + name;
      for (const auto& [part, job] : cache_.find(*key)->jobs) left += " job " + job.name;
      co_return fail(ErrorKind::Unavailable, "not gone yet:" + left);
    }
    co_await wait_change(deadline);
  }
  if (stopping_) co_return fail(ErrorKind::Canceled, "the kubernetes runtime is stopping");
  co_return Result<void>();
}

}  // namespace atq::kubernetes
