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

namespace atq::kube {

/// Calls come on the loop's thread, in order. Objects are passed as parsed and may be moved from.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;
  /// The whole truth in pieces: what is not added between begin and end is gone. A begin without
  /// its end is undone by the next begin.
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
  bool streaming_list = true;  ///< sendInitialEvents; falls back to pages where refused
};

class Reflector {
 public:
  /// `note` takes what a log should have: "list of jobs failed: … (again in 1.2 s)".
  Reflector(boost::asio::any_io_executor executor, Client& client, ListWatch what, ObjectSink& sink,
            std::function<void(const std::string&)> note, uint64_t seed);
  ~Reflector();
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  /// Until stop() (success). Errors: the server will never let us (Forbidden, Unauthorized and
  /// NotFound of the kind itself at the first list; later they are retried).
  Task<Result<void>> run();
  void stop();
  bool synced() const noexcept;

  struct Counts {
    uint64_t relists = 0, restarts = 0, events = 0;
  };
  Counts counts() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::kube
