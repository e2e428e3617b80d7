#include "src/cli/kube_run.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "controller/core/describe.hpp"
#include "controller/core/requests.hpp"
#include "src/base/text.hpp"
#include "src/cli/kube_loadtests.hpp"
#include "src/cli/open_client.hpp"
#include "src/kube/objects.hpp"

namespace atq::cli {
namespace {

namespace asio = boost::asio;
using Json = nlohmann::json;
using net::Task;
using namespace std::chrono_literals;

constexpr const char* kManager = "atq";
constexpr int64_t kLastLines = 5;
constexpr size_t kLineBytes = 200;
constexpr auto kSilence = 10s;  // of a watch, before patience is looked at again

std::string local_file_of(const api::LoadTestSpec& spec) {
  const auto look = [](const std::string& where, const std::vector<api::FileSource>& files) {
    for (size_t i = 0; i < files.size(); ++i) {
      if (!files[i].path.empty()) {
        return where + "[" + std::to_string(i) + "].path";
      }
    }
    return std::string();
  };
  for (const auto& found :
       {look("spec.files", spec.files), look("spec.worker.files", spec.worker.role.files),
        spec.master ? look("spec.master.files", spec.master->files) : std::string()}) {
    if (!found.empty()) {
      return found;
    }
  }
  return {};
}

class KubeRun final : public RunSession {
 public:
  KubeRun(asio::io_context& loop, kube::Connection connection, RunRequest request,
          KubeRunOptions options)
      : connection_(std::move(connection)),
        request_(std::move(request)),
        options_(std::move(options)),
        executor_(loop.get_executor()),
        stops_ended_(loop) {
    api::ObjectMeta& metadata = request_.test.metadata;
    if (!options_.ns.empty()) {
      metadata.ns = options_.ns;
    } else if (metadata.ns == "default") {
      metadata.ns = connection_.ns;
    }
    key_ = api::key_of(request_.test);
  }
  ~KubeRun() override { client().stop(); }

  AsyncResult<RunOutcome> run(std::function<void(const api::LoadTest&)> on_status) override {
    on_status_ = std::move(on_status);
    auto applying = apply();
    auto done = co_await std::move(applying);
    if (done) {
      auto following = follow();
      done = co_await std::move(following);
    }
    while (stops_ > 0) {
      boost::system::error_code ignored;
      stops_ended_.expires_at(asio::steady_timer::time_point::max());
      co_await stops_ended_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    RunOutcome outcome{.test = test_, .failed = {}, .folder = {}};
    if (done && test_.status.verdict != api::Verdict::Passed) {
      auto reading = read_failed();
      outcome.failed = co_await std::move(reading);
    }
    auto cleaning = clean_up();
    const auto cleaned = co_await std::move(cleaning);
    client().stop();
    if (!done) {
      co_return std::unexpected(done.error());
    }
    if (!cleaned) {
      co_return fail_with("the run has ended " + std::string(to_string(test_.status.verdict)) +
                              ", but its LoadTest " + to_string(key_) + " could not be deleted",
                          cleaned.error());
    }
    co_return outcome;
  }

  void request_stop(bool now) override {
    stop_wanted_ = now ? 2 : std::max(stop_wanted_, 1);
    if (target_ > 0) {
      spawn_stop();
    }
  }

 private:
  kube::Client& client() { return *connection_.client; }

  Task<Result<void>> apply();
  Task<Result<void>> follow();
  Task<Result<void>> watch_once();
  Task<Result<void>> read_again();
  Task<void> stop_run();
  Task<std::vector<FailedReplica>> read_failed();
  Task<Result<void>> clean_up();
  Task<std::vector<std::string>> last_lines(RunPod pod);
  void spawn_stop();
  void take(api::LoadTest test);
  Result<void> take(const Json& object);
  bool begun() const { return test_.status.run.number >= target_; }
  bool finished() const;
  /// What ends the session without a verdict.
  std::optional<Error> hopeless() const;

  kube::Connection connection_;
  RunRequest request_;
  KubeRunOptions options_;
  asio::any_io_executor executor_;
  std::function<void(const api::LoadTest&)> on_status_;
  api::Key key_;
  bool ours_ = false;   ///< made by us, so deleted by us
  int64_t target_ = 0;  ///< number of the run that is ours; 0: not applied yet
  api::LoadTest test_;  ///< as the cluster has it
  std::string version_;
  bool deleted_ = false;
  std::chrono::steady_clock::time_point applied_at_;
  std::chrono::steady_clock::time_point heard_;  ///< of the API server
  int stop_wanted_ = 0;                          ///< 1 graceful, 2 now
  int stop_asked_ = 0;                           ///< the same, of the run
  bool withdrawn_ = false;
  int stops_ = 0;  ///< stop_run() under way
  asio::steady_timer stops_ended_;
};

Task<Result<void>> KubeRun::apply() {
  auto reading = kube::get_object(client(), kLoadTests, key_.ns, key_.name);
  const auto present = co_await std::move(reading);
  if (!present && explain(present.error()) != present.error()) {
    co_return std::unexpected(explain(present.error()));
  }
  if (!present && present.error().kind != ErrorKind::NotFound) {
    co_return std::unexpected(present.error());
  }
  std::optional<Item> before;
  if (present) {
    auto item = item_of(*present);
    if (!item) {
      co_return std::unexpected(item.error());
    }
    before = std::move(*item);
    if (core::stop_request(before->test, false)) {
      co_return fail(ErrorKind::Conflict, "run " + std::to_string(before->test.status.run.number) +
                                              " of " + to_string(key_) +
                                              " is under way: stop it or wait for its end");
    }
  }
  Json object = Json::parse(api::encode_json(request_.test));
  object.erase("status");
  auto applying = kube::apply_object(client(), kLoadTests, key_.ns, std::move(object), kManager);
  const auto applied = co_await std::move(applying);
  if (!applied) {
    co_return std::unexpected(applied.error());
  }
  ours_ = !before;
  target_ = before ? before->test.status.run.number + 1 : 1;
  applied_at_ = heard_ = std::chrono::steady_clock::now();
  const auto taken = take(*applied);
  if (!taken) {
    co_return taken;
  }
  // A changed nonce is by itself one more run, as is the first.
  const bool rerun = before && before->test.status.run.number > 0 &&
                     before->test.spec.run_nonce == request_.test.spec.run_nonce;
  if (rerun) {
    auto asking = annotate(client(), key_, api::kRerunAnnotation, new_rerun_token());
    const auto asked = co_await std::move(asking);
    if (!asked) {
      co_return asked;
    }
  }
  if (stop_wanted_ > 0) {
    spawn_stop();
  }
  co_return Result<void>();
}

Task<Result<void>> KubeRun::follow() {
  while (!finished()) {
    if (const auto error = hopeless()) {
      co_return std::unexpected(*error);
    }
    auto watching = watch_once();
    const auto ended = co_await std::move(watching);
    if (ended || ended.error().kind == ErrorKind::Timeout) {
      continue;
    }
    const ErrorKind kind = ended.error().kind;
    const bool away = std::chrono::steady_clock::now() - heard_ > options_.patience;
    if (kind != ErrorKind::Gone && (kind != ErrorKind::Unavailable || away)) {
      co_return ended;
    }
    asio::steady_timer timer(executor_, 1s);
    co_await timer.async_wait(asio::use_awaitable);
    auto reading = read_again();
    const auto read = co_await std::move(reading);
    if (!read && read.error().kind != ErrorKind::Unavailable) {
      co_return read;
    }
  }
  co_return Result<void>();
}

Task<Result<void>> KubeRun::watch_once() {
  WatchLines lines;
  Result<void> outcome;
  std::function<bool(std::string_view)> sink = [&](std::string_view piece) {
    heard_ = std::chrono::steady_clock::now();
    const auto events = lines.feed(piece);
    outcome = events ? Result<void>() : std::unexpected(events.error());
    for (size_t i = 0; events && outcome && i < events->size(); ++i) {
      deleted_ = (*events)[i].type == "DELETED";
      outcome = take(*(*events)[i].object);
    }
    return outcome && !finished() && !hopeless();
  };
  const std::string target = kube::with_query(kube::path_of(kLoadTests, key_.ns),
                                              {{"watch", "true"},
                                               {"allowWatchBookmarks", "true"},
                                               {"fieldSelector", "metadata.name=" + key_.name},
                                               {"resourceVersion", version_}});
  auto streaming = client().stream({.target = target, .idle_timeout = kSilence}, std::move(sink));
  const auto ended = co_await std::move(streaming);
  version_ = lines.version().empty() ? version_ : lines.version();
  co_return outcome ? ended : outcome;
}

Task<Result<void>> KubeRun::read_again() {
  auto reading = kube::get_object(client(), kLoadTests, key_.ns, key_.name);
  const auto object = co_await std::move(reading);
  if (!object && object.error().kind == ErrorKind::NotFound) {
    deleted_ = true;
    co_return Result<void>();
  }
  if (!object) {
    co_return std::unexpected(object.error());
  }
  heard_ = std::chrono::steady_clock::now();
  co_return take(*object);
}

Result<void> KubeRun::take(const Json& object) {
  auto item = item_of(object);
  if (!item) {
    return std::unexpected(item.error());
  }
  take(std::move(item->test));
  return {};
}

void KubeRun::take(api::LoadTest test) {
  // Another object of the same name is none of ours.
  deleted_ = deleted_ || (!test_.metadata.uid.empty() && test.metadata.uid != test_.metadata.uid);
  if (deleted_) {
    return;
  }
  version_ = test.metadata.resource_version;
  const bool news = test.status != test_.status || test_.metadata.uid.empty();
  test_ = std::move(test);
  if (begun() && stop_wanted_ > stop_asked_) {
    spawn_stop();
  }
  if (news && begun()) {
    on_status_(test_);
  }
}

bool KubeRun::finished() const {
  const auto* const done = api::find_condition(test_.status, api::ConditionType::Finished);
  return begun() && test_.status.run.finished_at && done != nullptr &&
         done->status == api::ConditionStatus::True;
}

std::optional<Error> KubeRun::hopeless() const {
  const std::string name = to_string(key_);
  if (withdrawn_) {
    return Error{ErrorKind::Canceled, "stopped before a run of " + name + " had begun", {}};
  }
  if (deleted_) {
    return Error{ErrorKind::NotFound, "somebody has deleted the LoadTest " + name, {}};
  }
  if (begun()) {
    return std::nullopt;
  }
  const auto* const accepted = api::find_condition(test_.status, api::ConditionType::Accepted);
  if (accepted != nullptr && accepted->status == api::ConditionStatus::False &&
      accepted->observed_generation == test_.metadata.generation) {
    return Error{ErrorKind::Invalid, "the director refuses " + name + ": " + accepted->message, {}};
  }
  const bool seen = test_.status.observed_generation >= test_.metadata.generation;
  if (!seen && std::chrono::steady_clock::now() - applied_at_ > options_.patience) {
    return Error{ErrorKind::Unavailable,
                 "no director has taken " + name + " for " + to_human(options_.patience) +
                     ": does one run in the cluster, and for this namespace?",
                 {}};
  }
  return std::nullopt;
}

void KubeRun::spawn_stop() {
  ++stops_;
  asio::co_spawn(executor_, stop_run(), [this](const std::exception_ptr&) {
    --stops_;
    stops_ended_.cancel();
  });
}

/// A run that has begun is asked to stop; where none has, our LoadTest is taken back. A LoadTest of
/// somebody else is waited for: take() comes here again.
Task<void> KubeRun::stop_run() {
  const int wanted = stop_wanted_;
  if (begun()) {
    const auto value = core::stop_request(test_, wanted > 1);
    if (value && wanted > stop_asked_) {
      stop_asked_ = wanted;
      auto asking = annotate(client(), key_, api::kStopAnnotation, *value);
      const auto asked = co_await std::move(asking);
      if (!asked) {
        stop_asked_ = 0;
      }
    }
  } else if (ours_ && !withdrawn_) {
    withdrawn_ = true;  // the watch tells of the end
    auto deleting =
        kube::delete_object(client(), kLoadTests, key_.ns, key_.name, {.uid = test_.metadata.uid});
    co_await std::move(deleting);
  }
}

Task<std::vector<std::string>> KubeRun::last_lines(RunPod pod) {
  auto reading = client().call({.target = log_target(key_.ns, pod, false, kLastLines)});
  const auto text = co_await std::move(reading);
  std::vector<std::string> out;
  for (const auto& line : split(text.value_or(""), '\n')) {
    if (!line.empty()) {
      out.push_back(truncate(to_printable(line), kLineBytes));
    }
  }
  co_return out;
}

Task<std::vector<FailedReplica>> KubeRun::read_failed() {
  std::vector<FailedReplica> out;
  auto listing = list_run_pods(client(), key_.ns,
                               {.uid = test_.metadata.uid, .number = test_.status.run.number});
  const auto pods = co_await std::move(listing);
  if (!pods) {
    co_return out;  // the verdict stands without them
  }
  for (const RunPod& pod : *pods) {
    const bool bad = (pod.exit && pod.exit->code != 0) || !pod.diagnosis.empty();
    if (!bad) {
      continue;
    }
    auto reading = last_lines(pod);
    auto lines = co_await std::move(reading);
    std::string how = pod.exit ? core::describe(*pod.exit) : "";
    how += (how.empty() || pod.diagnosis.empty() ? "" : ", ") + pod.diagnosis;
    out.push_back({pod.role, pod.index, std::move(how), std::move(lines)});
  }
  co_return out;
}

Task<Result<void>> KubeRun::clean_up() {
  if (!ours_ || request_.keep || deleted_ || withdrawn_) {
    co_return Result<void>();
  }
  auto deleting =
      kube::delete_object(client(), kLoadTests, key_.ns, key_.name, {.uid = test_.metadata.uid});
  const auto done = co_await std::move(deleting);
  const bool gone = !done && done.error().kind == ErrorKind::NotFound;
  co_return gone ? Result<void>() : done;
}

}  // namespace

Result<std::unique_ptr<RunSession>> make_kube_run(asio::io_context& loop,
                                                  kube::Connection connection, RunRequest request,
                                                  KubeRunOptions options) {
  if (const auto local = local_file_of(request.test.spec); !local.empty()) {
    return fail(ErrorKind::Invalid,
                local +
                    ": a cluster cannot see files of this machine: give them as inline, or as "
                    "configMap or secret");
  }
  return std::make_unique<KubeRun>(loop, std::move(connection), std::move(request),
                                   std::move(options));
}

RunSessionFactory kube_session_factory(const Command& command, Console& console) {
  return [command, &console](asio::io_context& loop,
                             RunRequest request) -> Result<std::unique_ptr<RunSession>> {
    auto connection = kube::connect(loop, connection_options(command, console));
    if (!connection) {
      return std::unexpected(connection.error());
    }
    return make_kube_run(loop, std::move(*connection), std::move(request), {.ns = command.ns});
  };
}

}  // namespace atq::cli
