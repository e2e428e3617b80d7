#pragma once
// What a list-watch does next, and what each event means: a total state machine without clock,
// random numbers or sockets. reflector.cpp drives it. Sources: client-go tools/cache/reflector.go
// and tools/pager/pager.go, kube-rs kube-runtime/src/watcher.rs, KEP-3157 (streaming lists),
// KEP-956 (bookmarks), https://kubernetes.io/docs/reference/using-api/api-concepts/.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "src/base/error.hpp"
#include "src/base/time.hpp"

namespace atq::kube {

/// 800 ms, doubled to 30 s, each made longer by up to as much again; begins anew where two minutes
/// have passed since the last: at most 0.22 requests a second against a dead server.
class WatchBackoff {
 public:
  /// `random`: in [0, 1); anything else counts as the nearest of it.
  Duration next(double random, Duration now);

 private:
  Duration base_ = std::chrono::milliseconds{800};
  std::optional<Duration> last_;
};

/// One page of a list.
struct ListStep {
  std::string version;  ///< "" = the newest, "0" = any
  std::string token;    ///< `continue`
  size_t limit = 0;     ///< 0: the whole
  bool first = true;    ///< of its list: the sink's replacement begins
};
/// A watch with bookmarks; to be called dead after `silence` without a byte.
struct WatchStep {
  std::string version;
  bool initial_events = false;  ///< a streaming list: the sink's replacement begins
  std::chrono::seconds timeout{300};
  std::chrono::seconds silence{100};
};
struct WaitStep {
  Duration time{0};
};
/// It will never work.
struct FailStep {
  Error error;
};
using WatchMachineStep = std::variant<ListStep, WatchStep, WaitStep, FailStep>;

struct EventHead {
  std::string_view type;
  std::string_view version;         ///< metadata.resourceVersion; "": the object has none
  bool initial_events_end = false;  ///< the bookmark's annotation
};

/// What the sink is to be told.
enum class EventEffect {
  ReplaceAdd,
  ReplaceEnd,
  Upsert,
  Remove,
  Nothing,
  EndStream,  ///< the server reports an error: give it to on_error_event() and leave the stream
};

class WatchMachine {
 public:
  static constexpr size_t kPage = 500;
  static constexpr std::chrono::seconds kIdleMargin{5};
  /// A server sends a bookmark a minute (its cacher's bookmarkFrequency), whatever happens.
  static constexpr std::chrono::seconds kLongestSilence{100};

  explicit WatchMachine(bool streaming_list) : streaming_(streaming_list) {}

  /// `random` in [0, 1). Carry it out, then report; asked again without a report it says the same,
  /// a wait aside. `brisk`: somebody waits for changes, so a watch lasts 20 to 30 s only: a stream
  /// that died without a word is found that soon. Otherwise 300 to 600 s.
  WatchMachineStep next(double random, Duration now, bool brisk = false);

  /// Of a ListStep. True: the list is complete, end the replacement.
  bool on_page(std::string version, std::string token);
  void on_list_error(const Error& error);

  /// Of a WatchStep.
  EventEffect on_event(const EventHead& head);
  void on_error_event(Error error) { event_error_ = std::move(error); }
  /// An Internal error stands for a stream that could not be read: what was in it is lost.
  void on_stream_end(const Result<void>& end, Duration lasted);

  bool synced() const noexcept { return synced_; }
  const std::string& version() const noexcept { return version_; }
  /// Lists after the first one was complete; watches gone on with; events that were passed over.
  uint64_t relists() const noexcept { return relists_; }
  uint64_t restarts() const noexcept { return restarts_; }
  uint64_t skipped() const noexcept { return skipped_; }

 private:
  enum class Phase { List, Stream, Watch };  // Stream: a streaming list before its end

  ListStep list_step() const;
  void relist(bool wait);
  void complete(std::string version);
  void on_initial_end(const Result<void>& end);
  void on_watch_end(const Result<void>& end, Duration lasted);
  void wait_for(const std::optional<Duration>& asked);
  bool is_stale(std::string_view version) const;

  bool streaming_;          // as asked for, until the server refuses it
  bool list_once_ = false;  // pages this time
  bool newest_ = false;     // after a 410: only the newest will do
  bool whole_ = false;      // no pages: the last list's token went stale
  bool synced_ = false;
  bool unordered_ = false;  // the stream began with what there is, in no order of versions
  bool wait_ = false;
  std::optional<Duration> asked_wait_;
  Phase phase_ = Phase::List;
  bool decided_ = false;  // phase_ is set for the list under way
  std::string version_;   // seen by the sink
  std::string list_version_, token_;
  std::optional<Error> event_error_, fatal_;
  uint64_t stream_events_ = 0;
  int failures_ = 0;  // in a row
  uint64_t relists_ = 0, restarts_ = 0, skipped_ = 0;
  WatchBackoff backoff_;
};

}  // namespace atq::kube
