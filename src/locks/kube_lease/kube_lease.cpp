#include "src/locks/kube_lease/kube_lease.hpp"

#include <algorithm>
#include <random>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "src/base/text.hpp"
#include "src/kube/resource.hpp"
#include "src/locks/kube_lease/lease_object.hpp"

namespace atq::locks {

namespace asio = boost::asio;
using nlohmann::json;

namespace {

using std::chrono::milliseconds;

/// More steps than any try has: write, read, write.
constexpr int kMaxSteps = 4;
constexpr size_t kMaxHolder = 200;

}  // namespace

struct KubeLease::Impl {
  Impl(asio::io_context& context, ports::Clock& the_clock, kube::Client& the_client,
       KubeLeaseOptions the_options)
      : io(context),
        clock(the_clock),
        client(the_client),
        options(std::move(the_options)),
        machine(options.identity, options.times),
        random(options.seed),
        timer(clock.make_timer()),
        changed(io, asio::steady_timer::time_point::max()) {}

  /// One try: the machine's steps until it has no more.
  AsyncResult<void> try_once();
  AsyncResult<LeaseMachine::Step> carry_out(LeaseMachine::Read step);
  AsyncResult<LeaseMachine::Step> carry_out(LeaseMachine::Write step);
  AsyncResult<SeenLease> write(LeaseMachine::Write step);
  AsyncResult<json> call(std::string method, std::string name, std::string body);
  Task<void> give_up();
  Task<void> wait_for_change();

  Duration pause() {
    return machine.pause(clock.monotonic(), std::uniform_real_distribution()(random));
  }
  milliseconds call_limit() const;
  bool may_write() const { return !stopped && machine.may_write(clock.monotonic()); }
  void note(const std::string& message);
  /// Once for the same complaint, as tries repeat every few seconds.
  void complain(const Error& error);

  asio::io_context& io;
  ports::Clock& clock;
  kube::Client& client;
  KubeLeaseOptions options;
  LeaseMachine machine;
  std::mt19937_64 random;
  std::unique_ptr<ports::Clock::Timer> timer;
  asio::steady_timer changed;  // never expires; cancelling it is the wake-up
  json object;                 // as last seen, so that a write keeps what is not ours
  std::string complaint;
  bool trying = false;
  bool giving_up = false;
  bool stopped = false;
};

// ---- calls -----------------------------------------------------------------------------------

/// One call that hangs must leave time for another before the deadline.
milliseconds KubeLease::Impl::call_limit() const {
  Duration limit = std::max<Duration>(std::chrono::seconds(1), options.times.renew / 2);
  if (machine.holds()) {
    limit = std::min(limit, machine.left(clock.monotonic()));
  }
  return std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(limit));
}

AsyncResult<json> KubeLease::Impl::call(std::string method, std::string name, std::string body) {
  kube::Call call{.method = std::move(method),
                  .target = kube::path_of(kube::kLeases, options.ns, name),
                  .body = std::move(body),
                  .timeout = call_limit()};
  auto calling = client.call(std::move(call));
  auto answer = co_await std::move(calling);
  if (!answer) {
    co_return std::unexpected(answer.error());
  }
  json parsed = json::parse(*answer, nullptr, false);
  if (!parsed.is_object()) {
    co_return fail(ErrorKind::Unavailable, "the answer is no JSON object");
  }
  co_return parsed;
}

AsyncResult<LeaseMachine::Step> KubeLease::Impl::carry_out(LeaseMachine::Read) {
  if (machine.holds() && options.slow_path) {
    options.slow_path();
  }
  auto reading = call("GET", options.name, "");
  auto answer = co_await std::move(reading);
  std::optional<SeenLease> seen;
  if (answer) {
    seen = read_lease(*answer);
    object = std::move(*answer);
  } else if (answer.error().kind == ErrorKind::NotFound) {
    object = nullptr;
  } else {
    co_return std::unexpected(answer.error());
  }
  co_return machine.read(seen, clock.monotonic(), clock.now());
}

AsyncResult<SeenLease> KubeLease::Impl::write(LeaseMachine::Write step) {
  const bool create = step.version.empty();
  json lease = write_lease(create ? json() : object, options.ns, options.name, step.record);
  if (!create) {
    lease["metadata"]["resourceVersion"] = step.version;
  }
  auto writing = call(create ? "POST" : "PUT", create ? "" : options.name, lease.dump());
  auto answer = co_await std::move(writing);
  if (!answer) {
    co_return std::unexpected(answer.error());
  }
  SeenLease written = read_lease(*answer);
  object = std::move(*answer);
  object["metadata"].erase("managedFields");
  co_return written;
}

AsyncResult<LeaseMachine::Step> KubeLease::Impl::carry_out(LeaseMachine::Write step) {
  const Duration sent = clock.monotonic();
  const bool replaces = !step.version.empty();
  auto writing = write(std::move(step));
  auto written = co_await std::move(writing);
  const bool moved = !written && (written.error().kind == ErrorKind::Conflict ||
                                  (replaces && written.error().kind == ErrorKind::NotFound));
  if (moved) {
    co_return machine.conflicted();
  }
  if (!written) {
    co_return std::unexpected(written.error());
  }
  machine.wrote(*written, sent, clock.monotonic());
  co_return LeaseMachine::Wait{};
}

AsyncResult<void> KubeLease::Impl::try_once() {
  trying = true;
  Result<LeaseMachine::Step> step = machine.begin(clock.monotonic(), clock.now());
  for (int i = 0; i < kMaxSteps && step && !stopped; ++i) {
    if (std::holds_alternative<LeaseMachine::Wait>(*step)) {
      break;
    }
    auto task = std::holds_alternative<LeaseMachine::Read>(*step)
                    ? carry_out(LeaseMachine::Read{})
                    : carry_out(std::get<LeaseMachine::Write>(*step));
    auto next = co_await std::move(task);
    step = std::move(next);
  }
  trying = false;
  changed.cancel();
  if (!step) {
    co_return std::unexpected(step.error());
  }
  co_return Result<void>{};
}

void KubeLease::Impl::note(const std::string& message) {
  if (options.note) {
    options.note("lease " + options.ns + "/" + options.name + ": " + message);
  }
}

void KubeLease::Impl::complain(const Error& error) {
  if (error.message != complaint) {
    complaint = error.message;
    note(error.message);
  }
}

// ---- giving up -------------------------------------------------------------------------------

Task<void> KubeLease::Impl::wait_for_change() {
  boost::system::error_code ignored;
  co_await changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

Task<void> KubeLease::Impl::give_up() {
  while (trying) {
    co_await wait_for_change();
  }
  // Where another has taken it since, the version is no longer ours and nothing happens.
  if (auto step = machine.release(clock.now())) {
    auto writing = write(std::move(*step));
    const auto written = co_await std::move(writing);
    if (!written) {
      note("not given up, it ends by itself: " + written.error().message);
    }
  }
  giving_up = false;
  changed.cancel();
}

// ---- the port --------------------------------------------------------------------------------

KubeLease::KubeLease(asio::io_context& io, ports::Clock& clock, kube::Client& client,
                     KubeLeaseOptions options)
    : impl_(std::make_shared<Impl>(io, clock, client, std::move(options))) {}

KubeLease::~KubeLease() = default;

AsyncResult<bool> KubeLease::acquire() {
  const auto impl = impl_;
  if (const std::string problem = problem_of(impl->options.times); !problem.empty()) {
    co_return fail(ErrorKind::Invalid, problem);
  }
  while (!impl->stopped) {
    auto trying = impl->try_once();
    const auto tried = co_await std::move(trying);
    if (!tried) {
      impl->complain(tried.error());
    } else {
      impl->complaint.clear();
    }
    if (impl->may_write()) {
      co_return true;
    }
    if (!impl->stopped) {
      auto waiting = impl->timer->wait_for(impl->pause());
      co_await std::move(waiting);
    }
  }
  co_return false;
}

Task<void> KubeLease::lost() {
  const auto impl = impl_;
  const auto is_lost = [&impl] { return impl->machine.is_lost(impl->clock.monotonic()); };
  while (impl->machine.holds() && !impl->stopped && !is_lost()) {
    auto waiting = impl->timer->wait_for(impl->pause());
    co_await std::move(waiting);
    if (impl->stopped || is_lost()) {
      break;
    }
    auto trying = impl->try_once();
    const auto tried = co_await std::move(trying);
    if (!tried && !impl->stopped) {
      impl->note("not renewed: " + tried.error().message);
    }
  }
  if (!impl->stopped) {
    impl->note("lost, it was not renewed in time or another holds it");
  }
}

bool KubeLease::still_held() const { return impl_->may_write(); }

void KubeLease::stop() {
  if (impl_->stopped) {
    return;
  }
  impl_->stopped = true;
  impl_->timer->cancel();
  impl_->giving_up = true;
  asio::co_spawn(
      impl_->io, [impl = impl_] { return impl->give_up(); }, [impl = impl_](std::exception_ptr) {});
}

Task<void> KubeLease::ended() {
  const auto impl = impl_;
  while (impl->giving_up) {
    co_await impl->wait_for_change();
  }
}

std::string KubeLease::holder() const {
  return truncate(to_printable(impl_->machine.holder()), kMaxHolder);
}

}  // namespace atq::locks
