#include <algorithm>
#include <sys/random.h>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "src/base/hash.hpp"
#include "src/runtimes/kubernetes/runtime_impl.hpp"

namespace atq::kubernetes {
namespace {

using Json = nlohmann::json;

uint64_t random_number() {
  uint64_t value = 0;
  if (::getrandom(&value, sizeof(value), 0) != sizeof(value)) {
    value = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return value;
}

SteadyTime in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

}  // namespace

const kube::Resource& resource_of(Kind kind) {
  switch (kind) {
    case Kind::Service:
      return kube::kServices;
    case Kind::Job:
      return kube::kJobs;
    case Kind::Pod:
      break;
  }
  return kube::kPods;
}

// ---- watching
// ------------------------------------------------------------------------------------

/// Fills the cache from one watch.
class KubernetesRuntime::Impl::Sink final : public kube::ObjectSink {
 public:
  Sink(Impl& owner, Kind kind, std::string ns) : owner_(owner), kind_(kind), ns_(std::move(ns)) {}

  void replace_begin() override { replacement_ = {.kind = kind_, .ns = ns_, .seen = {}}; }
  void replace_add(Json object) override { touch(owner_.cache_.replace_add(replacement_, object)); }
  void replace_end() override {
    std::vector<DoubtfulObject> doubtful;
    const auto changed = owner_.cache_.replace_end(replacement_, doubtful);
    replacement_ = {};
    filled_ = true;
    for (const auto& key : changed) owner_.touched(key);
    for (auto& object : doubtful) owner_.spawn_task(owner_.look_again(std::move(object)));
    for (auto* waiter : owner_.waiters_) waiter->cancel();
  }
  bool is_filled() const { return filled_; }
  void upsert(Json object) override { touch(owner_.cache_.upsert(kind_, object)); }
  void remove(Json last_known) override { touch(owner_.cache_.remove(kind_, last_known)); }

 private:
  void touch(const RunCache::Changed& changed) {
    if (changed) owner_.touched(*changed);
  }

  Impl& owner_;
  const Kind kind_;
  const std::string ns_;
  RunCache::Replacement replacement_;
  bool filled_ = false;
};

struct KubernetesRuntime::Impl::Watching {
  Watching(Impl& owner, Kind kind, const std::string& ns)
      : sink(owner, kind, ns),
        reflector(
            owner.loop_.get_executor(), owner.client_,
            {.resource = resource_of(kind),
             .ns = ns,
             .label_selector = std::string(kSelector),
             .field_selector = {},
             .is_awaited = [&owner] { return owner.cache_.is_busy(); }},
            sink, [&owner](const std::string& note) { owner.warn(note); }, random_number()) {}
  Sink sink;
  kube::Reflector reflector;
};

Task<void> KubernetesRuntime::Impl::run_reflector(std::shared_ptr<Watching> watching) {
  auto running = watching->reflector.run();
  const auto ended = co_await std::move(running);
  if (!ended && !stopping_ && !broken_) {
    broken_ = ended.error();
    warn("the cluster is no longer watched: " + ended.error().message);
    for (auto* waiter : waiters_) waiter->cancel();
  }
}

Task<void> KubernetesRuntime::Impl::look_again(DoubtfulObject object) {
  auto getting = kube::get_object(client_, resource_of(object.kind), object.ns, object.name);
  const auto got = co_await std::move(getting);
  RunCache::Changed changed;
  if (got) {
    changed = cache_.upsert(object.kind, *got);
  } else if (got.error().kind == ErrorKind::NotFound) {
    changed = cache_.forget(object.kind, object.ns, object.name);
  }
  if (changed) touched(*changed);
}

// ---- life
// ----------------------------------------------------------------------------------------

KubernetesRuntime::Impl::Impl(boost::asio::io_context& loop, kube::Client& client, Options options)
    : options_(std::move(options)), loop_(loop), client_(client), fence_(to_hex(random_number())) {}

AsyncResult<void> KubernetesRuntime::Impl::start() {
  const Busy busy(*this);
  if (options_.agent_image.empty()) {
    co_return fail(ErrorKind::Invalid, "the kubernetes runtime has no agent image");
  }
  auto namespaces = options_.namespaces;
  if (namespaces.empty()) namespaces.emplace_back();
  for (const auto& ns : namespaces) {
    for (const Kind kind : {Kind::Service, Kind::Job, Kind::Pod}) {
      watchings_.push_back(std::make_shared<Watching>(*this, kind, ns));
      spawn_task(run_reflector(watchings_.back()));
    }
  }
  const SteadyTime deadline = in(options_.sync_timeout);
  while (!all_synced() && !broken_ && !stopping_) {
    if (std::chrono::steady_clock::now() >= deadline) {
      co_return fail(ErrorKind::Timeout,
                     "the cluster's services, jobs and pods could not be read "
                     "in time; is the API server reachable?");
    }
    co_await wait_change(deadline);
  }
  if (broken_) co_return std::unexpected(*broken_);
  if (stopping_) co_return fail(ErrorKind::Canceled, "the kubernetes runtime is stopping");
  co_await bump_inert();
  co_return Result<void>();
}

bool KubernetesRuntime::Impl::all_synced() const {
  return std::all_of(watchings_.begin(), watchings_.end(),
                     [](const auto& watching) { return watching->sink.is_filled(); });
}

Task<void> KubernetesRuntime::Impl::bump_inert() {
  struct Inert {
    Kind kind;
    std::string ns, name, release;
  };
  std::vector<Inert> found;
  for (const auto& [key, run] : cache_.runs()) {
    if (run.service && is_nonce(run.service->release)) {
      found.push_back({Kind::Service, key.ns, run.service->name, run.service->release});
    }
    const auto job = run.jobs.find(Part::Master);
    if (job != run.jobs.end() && is_nonce(job->second.release)) {
      found.push_back({Kind::Job, key.ns, job->second.name, job->second.release});
    }
  }
  for (const auto& inert : found) {
    auto stepping = step(inert.kind, inert.ns, inert.name, inert.release, fence_, std::nullopt);
    const auto done = co_await std::move(stepping);
    // Conflict: released or withdrawn this moment. Otherwise its release is refused, or goes by the
    // old nonce; both are safe, as only who leads releases.
    if (!done && done.error().kind != ErrorKind::Conflict &&
        done.error().kind != ErrorKind::NotFound) {
      warn(inert.ns + "/" + inert.name + " could not be taken over: " + done.error().message);
    }
  }
}

Task<void> KubernetesRuntime::Impl::stop() {
  const auto self = shared_from_this();
  stopping_ = true;
  for (const auto& watching : watchings_) watching->reflector.stop();
  const auto streams = streams_;
  for (const auto& stream : streams) stream->cancel();
  for (auto* waiter : waiters_) waiter->cancel();
  while (busy_ > 0) co_await wait_change(SteadyTime::max());
}

Task<void> KubernetesRuntime::Impl::wait_change(SteadyTime deadline) {
  boost::asio::steady_timer timer(loop_, deadline);
  waiters_.insert(&timer);
  boost::system::error_code canceled;
  co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, canceled));
  waiters_.erase(&timer);
}

void KubernetesRuntime::Impl::spawn_task(Task<void> task) {
  auto busy = std::make_shared<Busy>(*this);
  boost::asio::co_spawn(loop_, std::move(task),
                        [self = shared_from_this(), busy](std::exception_ptr error) {
                          if (error) std::rethrow_exception(error);
                        });
}

void KubernetesRuntime::Impl::warn(const std::string& message) const {
  if (options_.warn) options_.warn(message);
}

void KubernetesRuntime::Impl::touched(const RunKey& key) {
  const RunObjects* run = cache_.find(key);
  std::string uid;
  if (run != nullptr) uid = run->service ? run->service->uid_whole : run->uid_label;
  const bool busy = run != nullptr && !run->empty() && run->is_busy();
  cache_.drop_if_empty(key);
  if (cache_.find(key) == nullptr) {
    entries_.erase(key);
  } else if (!stopping_) {
    follow(key);
  }
  if (busy) {
    for (const auto& watching : watchings_) watching->reflector.refresh();
  }
  for (auto* waiter : waiters_) waiter->cancel();
  if (on_change_ && !stopping_ && !uid.empty()) on_change_(uid);
}

// ---- observation
// ---------------------------------------------------------------------------------

std::optional<RunKey> KubernetesRuntime::Impl::find(const core::RunId& id) const {
  for (const auto& key : cache_.runs_of(label_value(id.uid))) {
    const RunObjects* run = cache_.find(key);
    if (run == nullptr || run->number != id.number) continue;
    if (!run->service || run->service->uid_whole == id.uid) return key;
  }
  return std::nullopt;
}

Result<KubernetesRuntime::Impl::Found> KubernetesRuntime::Impl::require(const core::RunId& id) {
  if (stopping_) return fail(ErrorKind::Canceled, "the kubernetes runtime is stopping");
  const auto key = find(id);
  const RunObjects* run = key ? cache_.find(*key) : nullptr;
  if (run == nullptr || !run->service) {
    return fail(ErrorKind::NotFound,
                "the cluster has no run " + std::to_string(id.number) + " of " + id.uid);
  }
  auto frozen = frozen_of(*key, *run->service);
  if (!frozen) return std::unexpected(frozen.error());
  return Found{*key, std::move(*frozen)};
}

Result<FrozenPtr> KubernetesRuntime::Impl::frozen_of(const RunKey& key,
                                                     const ServiceView& service) {
  RunEntry& entry = entries_[key];
  if (auto seen = entry.frozen.lock()) return seen;
  auto text = unpack(service.frozen);
  if (!text) return fail_with("Service " + service.name, text.error());
  auto frozen = api::decode_frozen(*text);
  if (!frozen) return fail_with("Service " + service.name, frozen.error());
  auto shared = std::make_shared<const api::FrozenSpec>(std::move(*frozen));
  entry.frozen = shared;
  return shared;
}

Result<ObjectContext> KubernetesRuntime::Impl::context_of(const Found& found) const {
  const RunObjects& run = *cache_.find(found.key);
  auto files = decode_files(run.service->files);
  if (!files) return fail_with("Service " + run.service->name, files.error());
  ObjectContext context{.frozen = *found.frozen,
                        .id = {run.service->uid_whole, run.service->run},
                        .key = run.service->key,
                        .loadtest_uid = {},
                        .service_uid = run.service->uid,
                        .agent_image = options_.agent_image,
                        .agent_pull_policy = options_.agent_pull_policy,
                        .fence = fence_,
                        .files = std::move(*files),
                        .addresses = addresses_of(run, found.frozen->spec.worker.replicas)};
  for (size_t i = 0; i < context.addresses.size(); ++i) {
    if (run.ends.contains({Part::Worker, static_cast<int>(i)})) context.addresses[i].clear();
  }
  return context;
}

Result<std::vector<core::ObservedRun>> KubernetesRuntime::Impl::observe(const std::string& uid) {
  if (broken_) return std::unexpected(*broken_);
  std::vector<core::ObservedRun> out;
  for (const auto& key : cache_.runs_of(label_value(uid))) {
    const RunObjects& run = *cache_.find(key);
    if (!run.service) {
      out.push_back(observe_damaged(run.number, "its Service is gone, what is left is going"));
      continue;
    }
    if (run.service->uid_whole != uid) continue;
    const auto frozen = frozen_of(key, *run.service);
    if (!frozen) {
      out.push_back(observe_damaged(run.number, frozen.error().message));
      continue;
    }
    out.push_back(observe_run(run, **frozen, entries_[key].memory));
  }
  std::sort(out.begin(), out.end(),
            [](const auto& one, const auto& other) { return one.number < other.number; });
  return out;
}

std::vector<ports::KnownRun> KubernetesRuntime::Impl::known_runs() {
  std::vector<ports::KnownRun> out;
  for (const auto& [key, run] : cache_.runs()) {
    if (!run.service) continue;
    auto frozen = frozen_of(key, *run.service);
    if (!frozen) {
      warn(frozen.error().message);
      continue;
    }
    out.push_back({{run.service->uid_whole, run.number}, run.service->key, std::move(*frozen)});
  }
  return out;
}

// ---- the public face
// -----------------------------------------------------------------------------

KubernetesRuntime::KubernetesRuntime(boost::asio::io_context& loop, kube::Client& client,
                                     Options options)
    : impl_(std::make_shared<Impl>(loop, client, std::move(options))) {}
KubernetesRuntime::~KubernetesRuntime() = default;

std::string KubernetesRuntime::name() const { return impl_->options_.name; }
core::Capabilities KubernetesRuntime::capabilities() const {
  return {.finalizers = false,
          .garbage_collection = impl_->options_.loadtests_own,
          .config_maps = true,
          .runtime_name = name()};
}
AsyncResult<void> KubernetesRuntime::start() { return impl_->start(); }
Task<void> KubernetesRuntime::stop() { return impl_->stop(); }
void KubernetesRuntime::on_change(std::function<void(const std::string& uid)> callback) {
  impl_->on_change_ = std::move(callback);
}
AsyncResult<std::vector<core::ObservedRun>> KubernetesRuntime::observe(const std::string& uid) {
  co_return impl_->observe(uid);
}
std::vector<ports::KnownRun> KubernetesRuntime::known_runs() { return impl_->known_runs(); }
AsyncResult<void> KubernetesRuntime::begin(const ports::RunStart& start) {
  return impl_->begin(start);
}
AsyncResult<void> KubernetesRuntime::ensure_workers(const core::RunId& run) {
  return impl_->ensure_workers(run);
}
AsyncResult<void> KubernetesRuntime::ensure_checks(const core::RunId& run) {
  return impl_->ensure_checks(run);
}
AsyncResult<void> KubernetesRuntime::ensure_master(const core::RunId& run) {
  return impl_->ensure_master(run);
}
AsyncResult<void> KubernetesRuntime::release(const core::RunId& run, core::Role role,
                                             const std::string& version) {
  return impl_->release(run, role, version);
}
AsyncResult<void> KubernetesRuntime::stop_checks(const core::RunId& run) {
  return impl_->stop_checks(run);
}
AsyncResult<void> KubernetesRuntime::stop_role(const core::RunId& run, core::Role role,
                                               core::StopMode mode, Duration /*grace*/) {
  return impl_->stop_role(run, role, mode);  // the pods have had the run's grace since their start
}
AsyncResult<void> KubernetesRuntime::collect(const core::RunId& run) { return impl_->collect(run); }
AsyncResult<void> KubernetesRuntime::remove(const core::RunId& run) { return impl_->remove(run); }
AsyncResult<void> KubernetesRuntime::logs(const core::RunId& run, const ports::LogOptions& options,
                                          LogWriter write) {
  return impl_->logs(run, options, std::move(write));
}

}  // namespace atq::kubernetes
