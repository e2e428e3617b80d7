// The output of a replica, live. A stream's sink cannot wait for the reader, so pieces wait between
// the two; a reader who lets too many of them pile up is told so.

#include <deque>
#include <utility>

#include "src/runtimes/kubernetes/runtime_impl.hpp"

namespace atq::kubernetes {
namespace {

constexpr size_t kMaxWaiting = size_t{4} << 20;
constexpr std::chrono::hours kLongestStream{24};

struct Pipe {
  std::deque<std::string> pieces;
  size_t bytes = 0;
  bool closed = false;    ///< the reader wants no more
  bool overflow = false;  ///< it is too slow
  std::optional<Result<void>> ended;
};

}  // namespace

AsyncResult<void> KubernetesRuntime::Impl::stream_log(kube::Call call,
                                                      std::function<bool(std::string_view)> sink) {
  const auto canceler = std::make_shared<net::Canceler>();
  call.canceler = canceler;
  streams_.insert(canceler);
  auto streaming = client_.stream(std::move(call), std::move(sink));
  auto streamed = co_await std::move(streaming);
  streams_.erase(canceler);
  co_return streamed;
}

/// The pod's name once it has output; with `follow` it is waited for.
AsyncResult<std::string> KubernetesRuntime::Impl::await_output(RunKey key,
                                                               ports::LogOptions options,
                                                               FrozenPtr frozen) {
  const Part part = options.role == core::Role::Master ? Part::Master : Part::Worker;
  const auto& policy = frozen->spec.run_policy;
  const SteadyTime deadline = std::chrono::steady_clock::now() +
                              std::chrono::seconds(policy.startup_deadline_seconds) +
                              std::chrono::seconds(policy.active_deadline_seconds);
  for (;;) {
    const RunObjects* run = cache_.find(key);
    if (run == nullptr) co_return fail(ErrorKind::NotFound, "the run is gone");
    if (stopping_) co_return fail(ErrorKind::Canceled, "the kubernetes runtime is stopping");
    const PodView* pod = pod_of(*run, part, options.index);
    const bool started = pod != nullptr && (pod->main.state == ContainerView::State::Running ||
                                            pod->main.state == ContainerView::State::Ended);
    if (started) co_return pod->name;
    const bool over = run->ends.contains({part, options.index});
    if (over || !options.follow || std::chrono::steady_clock::now() >= deadline) {
      co_return fail(ErrorKind::NotFound, over ? "it has ended without output, or its pod is gone"
                                               : "it has not started yet");
    }
    co_await wait_change(deadline);
  }
}

AsyncResult<void> KubernetesRuntime::Impl::logs(core::RunId id, ports::LogOptions options,
                                                LogWriter write) {
  const Busy busy(*this);
  const auto found = require(id);
  if (!found) co_return std::unexpected(found.error());
  const auto& spec = found->frozen->spec;
  const int count = options.role == core::Role::Worker ? spec.worker.replicas : spec.master ? 1 : 0;
  if (options.index < 0 || options.index >= count) {
    co_return fail(ErrorKind::NotFound, "the run has no " +
                                            std::string(core::to_string(options.role)) + " " +
                                            std::to_string(options.index));
  }
  auto waiting = await_output(found->key, options, found->frozen);
  const auto pod = co_await std::move(waiting);
  if (!pod) co_return std::unexpected(pod.error());
  const std::string tail = options.tail_lines == 0 ? "" : std::to_string(options.tail_lines);
  kube::Call call{.target = kube::with_query(kube::path_of(kube::kPods, found->key.ns, *pod, "log"),
                                             {{"container", kMainContainer},
                                              {"follow", options.follow ? "true" : ""},
                                              {"tailLines", tail}})};
  call.timeout = kLongestStream;
  if (options.follow) call.idle_timeout = std::chrono::milliseconds(0);
  const auto pipe = std::make_shared<Pipe>();
  const auto self = shared_from_this();
  std::function<bool(std::string_view)> sink = [self, pipe](std::string_view piece) {
    if (pipe->closed) return false;
    pipe->bytes += piece.size();
    pipe->pieces.emplace_back(piece);
    pipe->overflow = pipe->bytes > kMaxWaiting;
    for (auto* waiter : self->waiters_) waiter->cancel();
    return !pipe->overflow;
  };
  const auto reader = [](std::shared_ptr<Impl> impl, std::shared_ptr<Pipe> into, kube::Call what,
                         std::function<bool(std::string_view)> to) -> Task<void> {
    auto streaming = impl->stream_log(std::move(what), std::move(to));
    into->ended = co_await std::move(streaming);
    for (auto* waiter : impl->waiters_) waiter->cancel();
  };
  spawn_task(reader(self, pipe, std::move(call), std::move(sink)));
  while (!pipe->pieces.empty() || !pipe->ended) {
    if (pipe->pieces.empty()) {
      co_await wait_change(SteadyTime::max());
      continue;
    }
    const std::string piece = std::move(pipe->pieces.front());
    pipe->pieces.pop_front();
    pipe->bytes -= piece.size();
    auto writing = write(piece);
    const bool more = co_await std::move(writing);
    if (!more) {
      pipe->closed = true;
      co_return Result<void>();
    }
  }
  if (pipe->overflow) {
    co_return fail(ErrorKind::Unavailable, "the output comes faster than it is read");
  }
  co_return *pipe->ended;
}

}  // namespace atq::kubernetes
