// What is created: begin() and the ensure_ calls. A create that finds its object there already
// takes it over if it is the run's own, and names the other owner if it is not.

#include <algorithm>
#include <fstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/runtimes/kubernetes/runtime_impl.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

Result<std::string> read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::Unavailable, "files: " + path.native() + " cannot be read");
  std::string text(kMaxAnnotationBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() <= kMaxAnnotationBytes) return text;
  return fail(ErrorKind::Invalid, "files: " + path.filename().native() +
                                      " is larger than 256 KiB; put it into a ConfigMap");
}

/// Who has the object, where it is not the run.
template <class View>
Result<void> check_owner(const std::optional<View>& view, const std::string& what,
                         const std::string& owner_uid) {
  if (!view) {
    return fail(ErrorKind::Conflict,
                what + " exists and is not the director's; rename or remove it");
  }
  if (view->owner_uid != owner_uid) {
    return fail(
        ErrorKind::Conflict,
        what + " exists and belongs to " +
            (view->owner.empty() ? "nobody" : view->owner + " (uid " + view->owner_uid + ")") +
            ", not to this run");
  }
  if (view->deleting) return fail(ErrorKind::Unavailable, what + " is still being removed");
  return {};
}

}  // namespace

AsyncResult<void> KubernetesRuntime::Impl::adopt(Kind kind, std::string ns, std::string name,
                                                 std::string owner_uid) {
  const kube::Resource& resource = resource_of(kind);
  auto getting = kube::get_object(client_, resource, ns, name);
  const auto got = co_await std::move(getting);
  if (!got) co_return std::unexpected(got.error());
  const std::string what = std::string(resource.kind) + " " + ns + "/" + name;
  auto ours = kind == Kind::Service ? check_owner(read_service(*got), what, owner_uid)
                                    : check_owner(read_job(*got), what, owner_uid);
  if (!ours) co_return ours;
  if (const auto changed = cache_.note(kind, *got)) touched(*changed);
  co_return Result<void>();
}

AsyncResult<void> KubernetesRuntime::Impl::create(Kind kind, std::string ns, Json object,
                                                  std::string owner_uid) {
  const std::string name = object["metadata"]["name"];
  auto creating = kube::create_object(client_, resource_of(kind), ns, std::move(object));
  const auto created = co_await std::move(creating);
  if (created) {
    if (const auto changed = cache_.note(kind, *created)) touched(*changed);
    co_return Result<void>();
  }
  if (created.error().kind != ErrorKind::Conflict) {
    Error error = created.error();
    // An exceeded quota is freed by others; no right to write is for good.
    if (error.kind == ErrorKind::Forbidden &&
        error.message.find("exceeded quota") != std::string::npos) {
      error.kind = ErrorKind::Unavailable;
    }
    co_return std::unexpected(std::move(error));
  }
  auto adopting = adopt(kind, ns, name, owner_uid);
  auto adopted = co_await std::move(adopting);
  co_return adopted;
}

AsyncResult<void> KubernetesRuntime::Impl::create_job(Found found, Part part, Result<Json> job) {
  if (!job) co_return std::unexpected(job.error());
  const RunObjects* run = cache_.find(found.key);
  if (run == nullptr || !run->service || run->service->deleting) {
    co_return fail(ErrorKind::NotFound, "the run's Service is gone");
  }
  if (job_of(*run, part) != nullptr) co_return Result<void>();
  auto creating = create(Kind::Job, found.key.ns, std::move(*job), run->service->uid);
  auto created = co_await std::move(creating);
  if (created) begin_scouting(found.key);
  co_return created;
}

Result<std::vector<PlacedFile>> KubernetesRuntime::Impl::read_local_files(
    const std::vector<ports::RunFile>& files) const {
  std::vector<PlacedFile> placed;
  for (const auto& file : files) {
    if (file.local_path.empty()) continue;  // inline: the frozen spec has it
    auto text = read_whole(file.local_path);
    if (!text) return std::unexpected(text.error());
    placed.push_back({.role = file.role, .name = file.name, .content = std::move(*text)});
  }
  return placed;
}

AsyncResult<void> KubernetesRuntime::Impl::begin(ports::RunStart start) {
  const Busy busy(*this);
  if (stopping_) co_return fail(ErrorKind::Canceled, "the kubernetes runtime is stopping");
  if (auto fine = check_supported(*start.frozen); !fine) co_return fine;
  const auto& watched = options_.namespaces;
  if (!watched.empty() &&
      std::find(watched.begin(), watched.end(), start.key.ns) == watched.end()) {
    co_return fail(ErrorKind::Invalid, "namespace " + start.key.ns + " is not watched by " +
                                           options_.name + "; add it to its namespaces");
  }
  if (const auto key = find(start.id); key && cache_.find(*key)->service) co_return Result<void>();
  auto files = read_local_files(start.files);
  if (!files) co_return std::unexpected(files.error());
  const std::string owner = options_.loadtests_own ? start.id.uid : "";
  const ObjectContext context{.frozen = *start.frozen,
                              .id = start.id,
                              .key = start.key,
                              .loadtest_uid = owner,
                              .service_uid = {},
                              .agent_image = options_.agent_image,
                              .agent_pull_policy = options_.agent_pull_policy,
                              .fence = fence_,
                              .files = std::move(*files),
                              .addresses = {}};
  const std::string packed = pack(api::encode_frozen(*start.frozen));
  auto object = service_object(context, packed);
  if (!object) co_return std::unexpected(object.error());
  // What cannot be made into a Job is refused now, not once the run has begun.
  if (auto job = worker_job(context); !job) co_return std::unexpected(job.error());
  auto creating = create(Kind::Service, start.key.ns, std::move(*object), owner);
  auto created = co_await std::move(creating);
  if (!created) co_return created;
  const auto key = find(start.id);
  if (!key) co_return fail(ErrorKind::Internal, "the Service just created is not to be read");
  // One copy for the engine and us, unless another begin was first.
  if (cache_.find(*key)->service->frozen == packed) entries_[*key].frozen = start.frozen;
  co_return Result<void>();
}

AsyncResult<void> KubernetesRuntime::Impl::ensure_workers(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  if (job_of(*cache_.find(found->key), Part::Worker) != nullptr) co_return Result<void>();
  const auto context = context_of(*found);
  if (!context) co_return std::unexpected(context.error());
  auto creating = create_job(*found, Part::Worker, worker_job(*context));
  auto created = co_await std::move(creating);
  co_return created;
}

AsyncResult<void> KubernetesRuntime::Impl::ensure_checks(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  RunEntry& entry = entries_[found->key];
  if (entry.memory.checks_stopped || found->frozen->spec.health_check.checks.empty()) {
    co_return Result<void>();
  }
  if (!plan_readiness(*found->frozen).needs_probe_job) {
    if (!entry.memory.checks_asked) {
      entry.memory.checks_asked = true;
      touched(found->key);
    }
    co_return Result<void>();
  }
  const RunObjects& run = *cache_.find(found->key);
  if (job_of(run, Part::Probe) != nullptr) co_return Result<void>();
  const auto context = context_of(*found);
  if (!context) co_return std::unexpected(context.error());
  auto creating = create_job(*found, Part::Probe, probe_job(*context));
  auto created = co_await std::move(creating);
  co_return created;
}

AsyncResult<void> KubernetesRuntime::Impl::ensure_master(core::RunId id) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  if (!found->frozen->spec.master) {
    co_return fail(ErrorKind::Invalid, "the run has no master");
  }
  if (job_of(*cache_.find(found->key), Part::Master) != nullptr) co_return Result<void>();
  const auto context = context_of(*found);
  if (!context) co_return std::unexpected(context.error());
  auto creating = create_job(*found, Part::Master, master_job(*context));
  auto created = co_await std::move(creating);
  co_return created;
}

}  // namespace atq::kubernetes
