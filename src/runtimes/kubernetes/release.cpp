// What happens once, and how it is ended. The annotation atq.dev/release says how far it has come:
//
//   NONCE ──▶ released ──▶ stopped          on the master's Job, with `suspend` in the same patch
//     └─────▶ withdrawn                     (without a master: on the Service)
//
// Every arrow is a JSON patch that tests where it comes from, so of all directors one goes it,
// once. A new leader's start() changes NONCE, and a release that an old one decided on fails. Job
// controllers write to the status all the time; a test of resourceVersion would fail for nothing.

#include <utility>

#include <nlohmann/json.hpp>

#include "src/runtimes/kubernetes/names.hpp"
#include "src/runtimes/kubernetes/runtime_impl.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

constexpr char kReleasePath[] = "/metadata/annotations/atq.dev~1release";
/// Grace of a stop that is to be at once. Not 0: that would only remove the pod's object, and
/// nobody could say when its processes have ended.
constexpr int kNowGraceSeconds = 1;
constexpr std::chrono::seconds kKillAgain{10};

}  // namespace

AsyncResult<void> KubernetesRuntime::Impl::patch(Kind kind, std::string ns, std::string name,
                                                 Json change, std::string type) {
  auto patching = kube::patch_object(client_, resource_of(kind), std::move(ns), std::move(name), "",
                                     std::move(change), type);
  const auto patched = co_await std::move(patching);
  if (!patched) co_return std::unexpected(patched.error());
  if (const auto changed = cache_.note(kind, *patched)) touched(*changed);
  co_return Result<void>();
}

AsyncResult<void> KubernetesRuntime::Impl::step(Kind kind, std::string ns, std::string name,
                                                std::string from, std::string to,
                                                std::optional<bool> suspend) {
  Json change = Json::array({{{"op", "test"}, {"path", kReleasePath}, {"value", from}},
                             {{"op", "replace"}, {"path", kReleasePath}, {"value", to}}});
  if (suspend) {
    change.push_back({{"op", "replace"}, {"path", "/spec/suspend"}, {"value", *suspend}});
  }
  auto patching = patch(kind, ns, name, std::move(change), std::string(kube::kJsonPatch));
  auto done = co_await std::move(patching);
  if (done ||
      (done.error().kind != ErrorKind::Invalid && done.error().kind != ErrorKind::Conflict)) {
    co_return done;
  }
  // A test that failed, or a real refusal: the object itself says which.
  auto getting = kube::get_object(client_, resource_of(kind), ns, name);
  const auto live = co_await std::move(getting);
  if (!live) co_return std::unexpected(live.error());
  if (const auto changed = cache_.note(kind, *live)) touched(*changed);
  const auto annotations = (*live)["metadata"].value("annotations", Json::object());
  const std::string now = annotations.value(std::string(kReleaseAnnotation), "");
  if (now == to) co_return Result<void>();
  if (now == from) co_return std::unexpected(done.error());
  co_return fail(ErrorKind::Conflict, ns + "/" + name + ": another director was here first (" +
                                          (is_nonce(now) ? "took it over" : now) + ")");
}

// ---- release
// -------------------------------------------------------------------------------------

AsyncResult<void> KubernetesRuntime::Impl::release(core::RunId id, core::Role role,
                                                   std::string version) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const bool masterless = !found->frozen->spec.master;
  if (masterless != (role == core::Role::Worker)) {
    co_return fail(ErrorKind::Invalid, "this role does not wait for a release");
  }
  auto releasing = masterless ? release_workers(*found, std::move(version))
                              : release_master(*found, std::move(version));
  auto done = co_await std::move(releasing);
  co_return done;
}

AsyncResult<void> KubernetesRuntime::Impl::release_master(Found found, std::string version) {
  const JobView* job = job_of(*cache_.find(found.key), Part::Master);
  if (job == nullptr) co_return fail(ErrorKind::Conflict, "the master is not created yet");
  const std::string now = job->release;
  if (now == kReleased || now == kStopped) co_return Result<void>();
  if (now == kWithdrawn) {
    co_return fail(ErrorKind::Conflict, "the master was stopped before it was released");
  }
  if (!is_nonce(version)) co_return fail(ErrorKind::Conflict, "no version to release");
  auto stepping =
      step(Kind::Job, found.key.ns, job->name, std::move(version), std::string(kReleased), false);
  auto done = co_await std::move(stepping);
  if (done) begin_scouting(found.key);
  co_return done;
}

AsyncResult<void> KubernetesRuntime::Impl::release_workers(Found found, std::string version) {
  const ServiceView service = *cache_.find(found.key)->service;
  if (service.release == kWithdrawn) {
    co_return fail(ErrorKind::Conflict, "the workers were stopped before they were released");
  }
  if (service.release != kReleased) {
    if (!is_nonce(version)) co_return fail(ErrorKind::Conflict, "no version to release");
    auto stepping = step(Kind::Service, found.key.ns, service.name, std::move(version),
                         std::string(kReleased), std::nullopt);
    auto done = co_await std::move(stepping);
    if (!done) co_return done;
  }
  const RunObjects* run = cache_.find(found.key);
  if (run == nullptr || !run->service) co_return fail(ErrorKind::NotFound, "the run is gone");
  if (job_of(*run, Part::Master) != nullptr) co_return Result<void>();
  const auto context = context_of(found);
  if (!context) co_return std::unexpected(context.error());
  auto creating = create_job(found, Part::Master, starter_job(*context));
  auto created = co_await std::move(creating);
  co_return created;
}

// ---- stop
// ----------------------------------------------------------------------------------------

AsyncResult<void> KubernetesRuntime::Impl::suspend(RunKey key, Part part) {
  const JobView* job = job_of(*cache_.find(key), part);
  if (job == nullptr) co_return Result<void>();
  Json change = {
      {"spec", {{"suspend", true}}},
      {"metadata", {{"annotations", {{std::string(kReleaseAnnotation), std::string(kStopped)}}}}}};
  auto patching =
      patch(Kind::Job, key.ns, job->name, std::move(change), std::string(kube::kMergePatch));
  auto done = co_await std::move(patching);
  if (!done && done.error().kind == ErrorKind::NotFound) co_return Result<void>();
  co_return done;
}

AsyncResult<void> KubernetesRuntime::Impl::kill_pods(RunKey key, std::optional<Part> part) {
  std::string selector = std::string(kRunIdLabel) + "=" + key.run_id;
  if (part) selector += "," + std::string(kRoleLabel) + "=" + std::string(to_string(*part));
  kube::Call call{.method = "DELETE",
                  .target = kube::with_query(kube::path_of(kube::kPods, key.ns),
                                             {{"labelSelector", selector}})};
  call.body =
      Json{
          {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"gracePeriodSeconds", kNowGraceSeconds}}
          .dump();
  auto calling = client_.call(std::move(call));
  const auto done = co_await std::move(calling);
  if (!done) co_return std::unexpected(done.error());
  co_return Result<void>();
}

AsyncResult<void> KubernetesRuntime::Impl::stop_part(RunKey key, Part part, core::StopMode mode) {
  const RunObjects* run = cache_.find(key);
  const JobView* job = job_of(*run, part);
  if (job == nullptr || !is_active(*run, part)) co_return Result<void>();
  if (job->release != kStopped && !job->finished) {
    auto suspending = suspend(key, part);
    auto done = co_await std::move(suspending);
    if (!done) co_return done;
  }
  if (mode != core::StopMode::Now) co_return Result<void>();
  const auto now = std::chrono::steady_clock::now();
  const auto before = entries_[key].killed_at.find(part);
  if (before != entries_[key].killed_at.end() && now < before->second + kKillAgain) {
    co_return Result<void>();
  }
  auto killing = kill_pods(key, part);
  auto killed = co_await std::move(killing);
  if (killed && cache_.find(key) != nullptr) entries_[key].killed_at[part] = now;
  co_return killed;
}

AsyncResult<void> KubernetesRuntime::Impl::stop_role(core::RunId id, core::Role role,
                                                     core::StopMode mode) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunKey key = found->key;
  const bool masterless = !found->frozen->spec.master;
  const RunObjects& run = *cache_.find(key);
  if (role == core::Role::Master && masterless) co_return Result<void>();
  const bool on_service = masterless;
  const JobView* master = job_of(run, Part::Master);
  std::string release;
  std::string name;
  if (on_service) {
    release = run.service->release;
    name = run.service->name;
  } else if (role == core::Role::Master && master != nullptr) {
    release = master->release;
    name = master->name;
  }
  if (is_nonce(release)) {
    auto stepping = step(on_service ? Kind::Service : Kind::Job, key.ns, name, release,
                         std::string(kWithdrawn), std::nullopt);
    auto done = co_await std::move(stepping);
    // Conflict: it was released this moment; the next observation has it running.
    if (!done || !on_service) co_return done;
  }
  if (cache_.find(key) == nullptr) co_return Result<void>();
  if (!on_service && role == core::Role::Master && release == kWithdrawn) co_return Result<void>();
  auto stopping = stop_part(key, role == core::Role::Master ? Part::Master : Part::Worker, mode);
  auto done = co_await std::move(stopping);
  if (!done || !masterless || cache_.find(key) == nullptr) co_return done;
  auto starter = stop_part(key, Part::Master, mode);
  done = co_await std::move(starter);
  co_return done;
}

AsyncResult<void> KubernetesRuntime::Impl::stop_checks(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const RunKey key = found->key;
  RunMemory& memory = entries_[key].memory;
  const RunObjects& run = *cache_.find(key);
  const auto& spec = found->frozen->spec;
  size_t passed = 0;
  for (const auto& [name, result] : memory.checks) passed += result.passed ? 1 : 0;
  // A prober that has passed all ends by itself, which saves a write.
  const bool over =
      passed == spec.health_check.checks.size() * static_cast<size_t>(spec.worker.replicas);
  const JobView* job = job_of(run, Part::Probe);
  if (job != nullptr && !over && is_active(run, Part::Probe) && job->release != kStopped) {
    auto suspending = suspend(key, Part::Probe);
    auto done = co_await std::move(suspending);
    if (!done) co_return done;
  }
  if (cache_.find(key) == nullptr || entries_[key].memory.checks_stopped) co_return Result<void>();
  entries_[key].memory.checks_stopped = true;
  touched(key);
  co_return Result<void>();
}

}  // namespace atq::kubernetes
