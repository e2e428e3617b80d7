#include "src/kube/reflector.hpp"

#include <bit>
#include <optional>
#include <random>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/kube/frames.hpp"
#include "src/kube/ingest.hpp"
#include "src/kube/status.hpp"
#include "src/kube/watch_machine.hpp"

namespace atq::kube {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxEnvelope = 1 << 20;
constexpr Duration kInitialEventsLate = std::chrono::seconds{10};
/// Until the server begins to answer: a list of thousands is first made, then sent.
constexpr std::chrono::seconds kAnswerTimeout{60};
constexpr Duration kDoubtfulSilence = std::chrono::seconds{20};

std::string name_of(const ListWatch& what) {
  std::string name(what.resource.plural);
  return what.ns.empty() ? name : name + " in " + what.ns;
}

}  // namespace

struct Reflector::Impl {
  Impl(Client& the_client, ListWatch the_what, ObjectSink& the_sink,
       std::function<void(const std::string&)> the_note, uint64_t seed,
       std::shared_ptr<Timing> the_timing)
      : client(the_client),
        what(std::move(the_what)),
        sink(the_sink),
        note(std::move(the_note)),
        random(seed),
        timing(std::move(the_timing)),
        alarm(timing->make_alarm()),
        machine(what.streaming_list) {}

  Task<Result<void>> run();
  Task<void> wait(Duration time);
  Task<void> list(ListStep step);
  Task<void> watch(WatchStep step);

  Result<void> finish_page(const ItemSplitter& page);
  bool take_item(std::string_view text);
  bool take_line(std::string_view line);
  void apply(EventEffect effect, Json object);
  void warn_if_late();
  void report_skipped();

  Client& client;
  ListWatch what;
  ObjectSink& sink;
  std::function<void(const std::string&)> note;
  std::mt19937_64 random;
  std::shared_ptr<Timing> timing;
  std::unique_ptr<Timing::Alarm> alarm;
  std::shared_ptr<net::Canceler> canceler = std::make_shared<net::Canceler>();  // of the call
  WatchMachine machine;

  bool stopped = false;
  bool client_stopped = false;
  bool brisk = false;       // the watch was opened for somebody who waits
  bool watching = false;    // it is open
  bool refreshing = false;  // refresh() has ended it
  Duration last_word{};     // of the stream, or its opening
  std::string trouble;      // since the last wait, for the note
  Result<void> unreadable;
  std::optional<Duration> next_warning;  // of a streaming list without its end
  uint64_t events = 0, bad_items = 0, reported_skipped = 0;
};

Task<Result<void>> Reflector::Impl::run() {
  while (!stopped) {
    const double chance = std::uniform_real_distribution<double>(0.0, 1.0)(random);
    brisk = what.is_awaited && what.is_awaited();
    auto step = machine.next(chance, timing->now(), brisk);
    if (const auto* failed = std::get_if<FailStep>(&step)) {
      co_return fail_with("list of " + name_of(what), failed->error);
    }
    if (const auto* pause = std::get_if<WaitStep>(&step)) {
      co_await wait(pause->time);
    } else if (auto* page = std::get_if<ListStep>(&step)) {
      co_await list(std::move(*page));
    } else {
      co_await watch(std::move(std::get<WatchStep>(step)));
    }
    if (client_stopped && !stopped) {
      co_return fail(ErrorKind::Canceled, "watch of " + name_of(what) + ": the client was stopped");
    }
  }
  co_return Result<void>{};
}

Task<void> Reflector::Impl::wait(Duration time) {
  if (!trouble.empty()) {
    note(std::exchange(trouble, {}) + " (again in " + to_human(time) + ")");
  }
  if (!stopped) {
    co_await alarm->wait(time);
  }
}

Task<void> Reflector::Impl::list(ListStep step) {
  if (step.first) {
    sink.replace_begin();
  }
  const std::string limit = step.limit > 0 ? std::to_string(step.limit) : std::string();
  Call call{
      .target = with_query(path_of(what.resource, what.ns), {{"labelSelector", what.label_selector},
                                                             {"fieldSelector", what.field_selector},
                                                             {"resourceVersion", step.version},
                                                             {"limit", limit},
                                                             {"continue", step.token}}),
      .timeout = kAnswerTimeout,
      .canceler = canceler};
  ItemSplitter page(what.max_object_bytes, kMaxEnvelope);
  unreadable = {};
  const FrameSink take = [this](std::string_view text) { return take_item(text); };
  std::function<bool(std::string_view)> feed = [this, &page, &take](std::string_view piece) {
    unreadable = page.feed(piece, take);
    return unreadable.has_value() && !stopped;
  };
  auto reading = client.stream(std::move(call), std::move(feed));
  auto end = co_await std::move(reading);
  if (stopped) {
    co_return;
  }
  if (end) {
    end = unreadable ? finish_page(page) : unreadable;
  }
  if (!end) {
    client_stopped = end.error().kind == ErrorKind::Canceled;
    trouble = "list of " + name_of(what) + ": " + end.error().message;
    machine.on_list_error(end.error());
  }
}

Result<void> Reflector::Impl::finish_page(const ItemSplitter& page) {
  auto head = page.complete() ? parse_page_head(page.envelope()) : std::nullopt;
  if (!head) {
    return fail(ErrorKind::Unavailable, "found no whole list, expected one of the API server");
  }
  if (machine.on_page(std::move(head->version), std::move(head->token))) {
    sink.replace_end();
  }
  return {};
}

bool Reflector::Impl::take_item(std::string_view text) {
  if (stopped) {
    return false;
  }
  Json object = Json::parse(text, nullptr, false);
  if (trim_object(object, what.resource)) {
    sink.replace_add(std::move(object));
  } else {
    ++bad_items;
    report_skipped();
  }
  return !stopped;
}

Task<void> Reflector::Impl::watch(WatchStep step) {
  if (step.initial_events) {
    sink.replace_begin();
    next_warning = timing->now() + kInitialEventsLate;
  }
  const std::string timeout = std::to_string(step.timeout.count());
  const std::string_view initial = step.initial_events ? "true" : "";
  Call call{
      .target = with_query(path_of(what.resource, what.ns),
                           {{"watch", "true"},
                            {"allowWatchBookmarks", "true"},
                            {"labelSelector", what.label_selector},
                            {"fieldSelector", what.field_selector},
                            {"resourceVersion", step.version},
                            {"resourceVersionMatch", step.initial_events ? "NotOlderThan" : ""},
                            {"sendInitialEvents", initial},
                            {"timeoutSeconds", timeout}}),
      .timeout = kAnswerTimeout,
      .idle_timeout = step.silence,
      .canceler = canceler};
  LineSplitter lines(what.max_object_bytes);
  unreadable = {};
  const FrameSink take = [this](std::string_view line) { return take_line(line); };
  std::function<bool(std::string_view)> feed = [this, &lines, &take](std::string_view piece) {
    last_word = timing->now();
    const auto fed = lines.feed(piece, take);
    if (!fed) {
      unreadable = fail(ErrorKind::Internal, fed.error().message);
    }
    return unreadable.has_value() && !lines.ended() && !stopped;
  };
  const Duration begun = timing->now();
  last_word = begun;
  watching = true;
  auto reading = client.stream(std::move(call), std::move(feed));
  auto end = co_await std::move(reading);
  watching = false;
  next_warning.reset();
  if (stopped) {
    co_return;
  }
  if (std::exchange(refreshing, false)) {
    canceler = std::make_shared<net::Canceler>();
    end = {};
  }
  if (!unreadable) {
    end = unreadable;
  } else if (end && lines.has_rest()) {
    end = fail(ErrorKind::Unavailable, "the stream ended within an event");
  }
  if (!end) {
    client_stopped = end.error().kind == ErrorKind::Canceled;
    trouble = "watch of " + name_of(what) + ": " + end.error().message;
  }
  machine.on_stream_end(end, timing->now() - begun);
  report_skipped();
}

bool Reflector::Impl::take_line(std::string_view line) {
  if (stopped) {
    return false;
  }
  ++events;
  Json object;
  const auto parsed = parse_watch_line(line, what.resource, object);
  if (!parsed) {
    // What it would have been is not known, so what the sink has may now be wrong.
    unreadable = fail(ErrorKind::Internal, "an event of the watch is no JSON object with a type");
    return false;
  }
  const auto effect = machine.on_event({.type = parsed->type,
                                        .version = parsed->version,
                                        .initial_events_end = parsed->initial_events_end});
  warn_if_late();
  if (effect == EventEffect::EndStream) {
    Error error = error_of_event(object.dump(-1, ' ', false, Json::error_handler_t::replace));
    trouble = "watch of " + name_of(what) + ": " + error.message;
    machine.on_error_event(std::move(error));
    return false;
  }
  apply(effect, std::move(object));
  return !stopped;
}

void Reflector::Impl::apply(EventEffect effect, Json object) {
  switch (effect) {
    case EventEffect::ReplaceAdd:
      return sink.replace_add(std::move(object));
    case EventEffect::Upsert:
      return sink.upsert(std::move(object));
    case EventEffect::Remove:
      return sink.remove(std::move(object));
    case EventEffect::ReplaceEnd:
      next_warning.reset();
      return sink.replace_end();
    case EventEffect::Nothing:
    case EventEffect::EndStream:
      return;
  }
}

void Reflector::Impl::warn_if_late() {
  if (next_warning && timing->now() >= *next_warning) {
    next_warning = timing->now() + kInitialEventsLate;
    note("watch of " + name_of(what) + ": the end of the initial events has not come yet");
  }
}

/// At 1, 2, 4, 8 … of them: enough to see that it happens, not enough to fill a log.
void Reflector::Impl::report_skipped() {
  const uint64_t skipped = machine.skipped() + bad_items;
  if (std::bit_width(skipped) > std::bit_width(reported_skipped)) {
    reported_skipped = skipped;
    note("watch of " + name_of(what) + ": " + std::to_string(skipped) +
         " events or objects were passed over: of unknown type or kind, without metadata, or older "
         "than known");
  }
}

Reflector::Reflector(boost::asio::any_io_executor executor, Client& client, ListWatch what,
                     ObjectSink& sink, std::function<void(const std::string&)> note, uint64_t seed,
                     std::shared_ptr<Timing> timing)
    : impl_(std::make_unique<Impl>(
          client, std::move(what), sink, std::move(note), seed,
          timing ? std::move(timing) : steady_timing(std::move(executor)))) {}

Reflector::~Reflector() = default;

Task<Result<void>> Reflector::run() { return impl_->run(); }

void Reflector::refresh() {
  Impl& impl = *impl_;
  if (impl.watching && impl.machine.synced() && !impl.brisk && !impl.refreshing && !impl.stopped &&
      impl.timing->now() - impl.last_word >= kDoubtfulSilence) {
    impl.refreshing = true;
    impl.canceler->cancel();
  }
}

void Reflector::stop() {
  impl_->stopped = true;
  impl_->alarm->cancel();
  impl_->canceler->cancel();
}

bool Reflector::synced() const noexcept { return impl_->machine.synced(); }

Reflector::Counts Reflector::counts() const noexcept {
  return {.relists = impl_->machine.relists(),
          .restarts = impl_->machine.restarts(),
          .events = impl_->events,
          .skipped = impl_->machine.skipped() + impl_->bad_items};
}

}  // namespace atq::kube
