#pragma once
// An API server in memory, and the connections to it. The server's side is ApiState; this adds
// time, watches, faults and a record of the calls.
//
//   FakeApi api(io, clock);                        // clock: virtual or real
//   auto client = api.connect("director-1");       // one a process that is played
//   api.put(kube::kPods, R"({"metadata": …})");    // the server's side: no call is recorded
//   api.fail_next({.method = "PATCH", .path = "/status", .status = 409});
//
// A connection must not be destroyed before its calls have ended: stop(), then let the loop turn.

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "controller/ports/clock.hpp"
#include "src/kube/client.hpp"
#include "src/kube/resource.hpp"
#include "tests/fakes/kube/api_state.hpp"

namespace atq::fakes::kube {

/// What happens to the next `times` calls that match.
struct Fault {
  std::string method;  ///< "" = any; "WATCH" = a GET with watch=true, which "GET" does not match
  std::string path;    ///< part of the target; "" = any
  std::string client;  ///< name of the connection; "" = any
  int times = 1;
  int status =
      0;  ///< an answer with this code and a Status; 0: the connection breaks (Unavailable)
  std::string reason;           ///< of the Status
  int retry_after_seconds = 0;  ///< of the Status
  bool hang = false;            ///< no answer ever: Timeout when the call's time is up
  bool after_effect = false;    ///< the server does as asked, only the answer is lost
  Duration delay{0};            ///< before the effect; with `slow_only` that is all
  bool slow_only = false;
};

/// What happens to the next `times` watches that match, once they are open.
struct StreamFault {
  enum class Kind {
    Cut,        ///< a clean end
    Reset,      ///< the connection breaks
    HalfFrame,  ///< half an event, then a clean end
    Silent,     ///< nothing more, so that only the idle timeout ends it
    Duplicate,  ///< an event twice, then on
    Late,       ///< an older state of the event's object after it, then on
    Garbage,    ///< a line that is no JSON, then on
    Unknown,    ///< an event of a type nobody knows, one without metadata, then on
    Status,     ///< an ERROR event with `status` and `reason`, then a clean end
  };
  Kind kind = Kind::Cut;
  std::string path;  ///< part of the target; "" = any
  int times = 1;
  size_t after_events = 0;  ///< as many events pass first
  int status = 410;
  std::string reason = "Expired";
};

/// A call as it came in, watches too.
struct RecordedCall {
  std::string client, method, target, content_type, body;
  int status = 0;  ///< what was answered; 0: nothing (yet)
  bool is_write() const { return method != "GET"; }
};

class FakeApi {
 public:
  FakeApi(boost::asio::io_context& loop, ports::Clock& clock);
  ~FakeApi();

  /// A connection; its stop() ends its own calls only. Must not outlive the server.
  std::unique_ptr<atq::kube::Client> connect(std::string name = "test");
  /// All calls of that connection hang, those under way get no more bytes.
  void partition(const std::string& client, bool cut_off);

  // The server's side.
  ApiState& state() noexcept { return state_; }
  const ApiState& state() const noexcept { return state_; }
  /// Creates or merges, status too. `object` needs kind and metadata.name only. Gives the object;
  /// throws std::logic_error where the server would refuse.
  Json put(const atq::kube::Resource& resource, std::string ns, Json object);
  /// false: was not there.
  bool erase(const atq::kube::Resource& resource, std::string ns, std::string name);
  std::optional<Json> get(const atq::kube::Resource& resource, std::string ns,
                          std::string name) const;
  std::vector<Json> all(const atq::kube::Resource& resource) const;
  /// Plays a controller or a kubelet: called after each change, may call put() and erase().
  void on_write(std::function<void(const Change&)> callback) { on_write_ = std::move(callback); }
  /// Wakes watches after a change of state() that is none of an object (the cache's lag).
  void wake();

  void fail_next(Fault fault) { faults_.push_back(std::move(fault)); }
  void fail_stream(StreamFault fault) { stream_faults_.push_back(std::move(fault)); }
  void clear_faults();
  /// false: sendInitialEvents is refused with 422, as by servers before 1.32.
  void set_streaming_lists(bool on) { streaming_lists_ = on; }
  /// Pieces of a stream are at most this large. 0: an event a piece.
  void set_piece_bytes(size_t bytes) { piece_bytes_ = bytes; }
  /// 0: none.
  void set_bookmark_every(Duration every) { bookmark_every_ = every; }

  const std::vector<RecordedCall>& calls() const noexcept { return calls_; }
  /// Of that method ("" any; "WATCH") with that part in the target.
  size_t count(std::string_view method, std::string_view path = {}) const;
  size_t writes() const;
  void forget_calls() { calls_.clear(); }
  size_t open_watches() const noexcept;

 private:
  class Connection;
  class Watch;
  std::optional<Fault> take_fault(const std::string& client, const atq::kube::Call& call);
  std::optional<StreamFault> take_stream_fault(const std::string& target);
  bool is_cut_off(const std::string& client) const;

  boost::asio::io_context& loop_;
  ports::Clock& clock_;
  ApiState state_;
  std::function<void(const Change&)> on_write_;
  std::list<Fault> faults_;
  std::list<StreamFault> stream_faults_;
  std::vector<std::string> cut_off_;
  std::list<Watch*> watches_;
  std::vector<RecordedCall> calls_;
  bool streaming_lists_ = true;
  size_t piece_bytes_ = 0;
  Duration bookmark_every_{std::chrono::minutes{1}};
};

}  // namespace atq::fakes::kube
