#pragma once
// Keeps a sink equal to what the API server has of one kind: list, watch, and all that can go wrong
// between them. The decisions are those of watch_machine.hpp (pure); this drives them with a
// Client. Sources: client-go tools/cache/reflector.go, KEP-3157 (streaming lists), KEP-956
// (bookmarks).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <nlohmann/json_fwd.hpp>

#include "src/kube/client.hpp"
#include "src/kube/resource.hpp"
#include "src/kube/timing.hpp"

namespace atq::kube {

/// Calls come on the loop's thread, in order. Objects are passed as parsed, with apiVersion and
/// kind (which lists leave out), without metadata.managedFields, and may be moved from.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;
  /// The whole truth in pieces: what is not added between begin and end is gone. A begin without
  /// its end is undone by the next begin. An object may be added twice (the later one counts) and
  /// removed after it was added; there is no upsert() in between.
  virtual void replace_begin() = 0;
  virtual void replace_add(nlohmann::json object) = 0;
  virtual void replace_end() = 0;
  virtual void upsert(nlohmann::json object) = 0;
  virtual void remove(nlohmann::json last_known) = 0;
};

struct ListWatch {
  Resource resource;
  std::string ns;              ///< "" = all
  std::string label_selector;  ///< evaluated by the server, so that foreign objects cost nothing
  std::string field_selector;
  bool streaming_list = true;         ///< sendInitialEvents; falls back to pages where refused
  size_t max_object_bytes = 8 << 20;  ///< of one event or object; a larger one begins a new list
  /// Whether somebody waits for changes; asked as each watch is opened (WatchMachine::next). Empty:
  /// nobody.
  std::function<bool()> is_awaited;
};

class Reflector {
 public:
  /// `note` takes what a log should have: "watch of jobs: … (again in 1.2s)". `seed` spreads the
  /// waits of several processes. `timing`: null for the executor's timers.
  Reflector(boost::asio::any_io_executor executor, Client& client, ListWatch what, ObjectSink& sink,
            std::function<void(const std::string&)> note, uint64_t seed,
            std::shared_ptr<Timing> timing = nullptr);
  /// run() must have ended.
  ~Reflector();
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  /// Until stop() (success). Errors: the server will never let us (Forbidden, Unauthorized and
  /// NotFound of the kind itself at the first list; later they are retried); Canceled: the client
  /// was stopped.
  Task<Result<void>> run();
  /// Somebody waits for changes: a stream that has been silent for 20 s and was not opened for that
  /// is opened anew, in case it died without a word. Cheap, to be called at each sign of work.
  void refresh();
  /// run() ends in the loop's next turns; the sink is not called again.
  void stop();
  /// The sink has had a whole list, whatever has happened since.
  bool synced() const noexcept;

  struct Counts {
    uint64_t relists = 0;   ///< after the first list
    uint64_t restarts = 0;  ///< watches gone on with from where the last one ended
    uint64_t events = 0;    ///< that came, bookmarks too
    uint64_t skipped = 0;   ///< of them: of unknown type, without metadata, or older than known
  };
  Counts counts() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::kube
