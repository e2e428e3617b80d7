#include "controller/app/local_run.hpp"

#include <cstdlib>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "controller/app/director.hpp"
#include "controller/app/single_store.hpp"
#include "controller/core/describe.hpp"
#include "controller/engine/asio_clock.hpp"
#include "controller/engine/async_event.hpp"
#include "controller/engine/log.hpp"
#include "controller/engine/task_group.hpp"

namespace atq::app {
namespace {

namespace fs = std::filesystem;

/// A fresh folder for the state of one run; private, as it holds what the user's tools print.
Result<fs::path> make_temporary_folder() {
  const char* base = std::getenv("TMPDIR");
  std::string path =
      std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/atq-run-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    return std::unexpected(from_errno(errno, "make a folder " + path));
  return fs::path(path);
}

class LocalRun final : public cli::RunSession {
 public:
  LocalRun(boost::asio::io_context& loop, cli::RunRequest request, bool temporary)
      : loop_(loop),
        request_(std::move(request)),
        temporary_(temporary),
        changed_(loop),
        tasks_(loop, [](const std::exception_ptr&) {}) {}

  Result<void> prepare() {
    Config config;
    config.data = request_.data.string();
    config.store_type = "memory";
    config.runtimes = {RuntimeConfig{
        request_.test.spec.runtime.empty() ? "process" : request_.test.spec.runtime, "process", 1}};
    auto store = std::make_unique<SingleStore>(loop_, clock_, request_.test, request_.folder);
    key_ = api::key_of(store->test());
    uid_ = store->test().metadata.uid;
    auto director =
        Director::make(loop_, config, {.die_with_parent = true, .store = std::move(store)});
    if (!director) return std::unexpected(director.error());
    director_ = std::move(*director);
    return {};
  }

  AsyncResult<cli::RunOutcome> run(std::function<void(const api::LoadTest&)> on_status) override {
    const auto subscription =
        director_->operations().subscribe([this](const engine::Change&) { changed_.notify_all(); });
    tasks_.spawn(drive());
    while (!ended_ && !finished()) {
      co_await changed_.wait();
      show(on_status);
    }
    auto outcome = co_await conclude();
    director_->stop();
    co_await tasks_.join();
    if (!finished()) co_return std::unexpected(why_not());
    tidy_up(outcome);
    co_return outcome;
  }

  void request_stop(bool now) override { tasks_.spawn(stop_run(now)); }

 private:
  bool finished() const {
    const auto* done = api::find_condition(test_.status, api::ConditionType::Finished);
    return done != nullptr && done->status == api::ConditionStatus::True &&
           test_.status.run.number > 0;
  }

  Task<void> drive() {
    auto result = co_await director_->run();
    if (!result) error_ = result.error();
    ended_ = true;
    changed_.notify_all();
  }

  void show(const std::function<void(const api::LoadTest&)>& on_status) {
    const auto cached = director_->operations().get(key_);
    if (cached == nullptr) return;
    const auto decoded = cached->decode();
    if (decoded->status == test_.status && decoded->metadata.uid == test_.metadata.uid) return;
    test_ = *decoded;
    on_status(test_);
  }

  /// Stop is a request to a run; one that is not begun yet is stopped as soon as it is.
  Task<void> stop_run(bool now) {
    while (!ended_ && !finished()) {
      auto asked = co_await director_->operations().request_stop(key_, now);
      if (asked || asked.error().kind != ErrorKind::Conflict) co_return;
      co_await changed_.wait();
    }
  }

  Task<cli::RunOutcome> conclude() {
    cli::RunOutcome outcome;
    outcome.test = test_;
    if (!finished()) co_return outcome;
    const core::RunId id{uid_, test_.status.run.number};
    auto observed = co_await director_->runtime().observe(uid_);
    for (const auto& run : observed.value_or(std::vector<core::ObservedRun>{})) {
      if (run.number == id.number && test_.status.verdict != api::Verdict::Passed)
        add_failed(run, outcome);
    }
    if (test_.status.verdict == api::Verdict::Passed && !request_.keep) {
      co_await director_->runtime().remove(id);
    } else {
      outcome.folder = request_.data / "runs" / uid_ / std::to_string(id.number);
    }
    co_return outcome;
  }

  static void add_failed(const core::ObservedRun& run, cli::RunOutcome& outcome) {
    const auto add = [&](core::Role role, const core::Replica& replica) {
      if (!replica.exit || (replica.exit->code == 0 && replica.exit->signal == 0)) return;
      outcome.failed.push_back(
          {role, replica.index, core::describe(*replica.exit), replica.exit->last_lines});
    };
    for (const auto& worker : run.workers) add(core::Role::Worker, worker);
    if (run.master) add(core::Role::Master, *run.master);
  }

  Error why_not() const {
    return error_.value_or(
        Error{ErrorKind::Internal, "the run ended without a result", std::nullopt});
  }

  void tidy_up(cli::RunOutcome& outcome) {
    if (!temporary_ || !outcome.folder.empty()) return;
    std::error_code ignored;
    fs::remove_all(request_.data, ignored);
  }

  boost::asio::io_context& loop_;
  engine::AsioClock clock_{loop_};
  cli::RunRequest request_;
  bool temporary_;
  engine::AsyncEvent changed_;
  engine::TaskGroup tasks_;
  std::unique_ptr<Director> director_;
  api::Key key_;
  std::string uid_;
  api::LoadTest test_;
  std::optional<Error> error_;
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<cli::RunSession>> make_local_run(boost::asio::io_context& loop,
                                                        cli::RunRequest request) {
  engine::setup_log(engine::LogFormat::Text, engine::LogLevel::Error);
  if (const auto missing = missing_files(request.test.spec, request.folder); !missing.empty()) {
    return fail(ErrorKind::Invalid, missing);
  }
  const bool temporary = request.data.empty();
  if (temporary) {
    auto folder = make_temporary_folder();
    if (!folder) return std::unexpected(folder.error());
    request.data = *folder;
  }
  auto run = std::make_unique<LocalRun>(loop, std::move(request), temporary);
  if (const auto prepared = run->prepare(); !prepared) return std::unexpected(prepared.error());
  return run;
}

}  // namespace atq::app
