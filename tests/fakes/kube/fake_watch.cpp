#include "tests/fakes/kube/fake_watch.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "src/kube/status.hpp"

namespace atq::fakes::kube {

namespace {

constexpr auto kFar = std::chrono::hours{24 * 365};

uint64_t to_number(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

FakeApi::Watch::Watch(FakeApi& api, std::string client, ApiRequest request, atq::kube::Call call,
                      Sink sink)
    : api_(api),
      client_(std::move(client)),
      request_(std::move(request)),
      call_(std::move(call)),
      sink_(std::move(sink)),
      timer_(api.clock_.make_timer()) {
  api_.watches_.push_back(this);
}

FakeApi::Watch::~Watch() { api_.watches_.remove(this); }

void FakeApi::Watch::stop() {
  finish(fail(ErrorKind::Canceled, "the client is stopped"));
  out_.clear();
  wake();
}

void FakeApi::Watch::finish(Result<void> result) {
  if (!result_) {
    result_ = std::move(result);
  }
}

Task<Result<void>> FakeApi::Watch::run() {
  open();
  while (true) {
    woken_ = false;
    const auto& changes = api_.state_.changes();
    while (!result_ && !silent_ && next_change_ < changes.size() &&
           changes[next_change_].version <= api_.state_.cache_version()) {
      send_change(changes[next_change_++]);
    }
    check_time();
    flush();
    if (result_ && (out_.empty() || !result_->has_value())) {
      co_return *result_;
    }
    if (!out_.empty() && !api_.is_cut_off(client_)) {
      // The next piece in the loop's next turn.
      co_await boost::asio::post(api_.loop_, boost::asio::use_awaitable);
    } else if (!woken_) {
      co_await timer_->wait_until(next_alarm());
    }
  }
}

void FakeApi::Watch::open() {
  const TimePoint now = api_.clock_.now();
  const uint64_t seconds = to_number(request_.parameter("timeoutSeconds"));
  end_ = now + std::chrono::seconds(seconds > 0 ? seconds : 1800);
  last_byte_ = now;
  next_bookmark_ =
      api_.bookmark_every_ > Duration::zero() ? now + api_.bookmark_every_ : now + kFar;
  auto labels = LabelSelector::parse(request_.parameter("labelSelector"));
  auto fields = FieldSelector::parse(request_.parameter("fieldSelector"));
  if (!labels || !fields) {
    return finish(fail(ErrorKind::Invalid, "a selector does not parse (400 BadRequest)"));
  }
  labels_ = std::move(*labels);
  fields_ = std::move(*fields);
  fault_ = api_.take_stream_fault(call_.target);
  const std::string asked = request_.parameter("resourceVersion");
  const bool from_now = asked.empty() || asked == "0";
  const bool initial = request_.parameter("sendInitialEvents") == "true";
  // A streaming list of no version is a consistent read, as a list is; the cache catches up first.
  const uint64_t newest =
      initial && asked.empty() ? api_.state_.version() : api_.state_.cache_version();
  seen_ = from_now || initial ? std::max(newest, to_number(asked)) : to_number(asked);
  const auto& changes = api_.state_.changes();
  next_change_ = static_cast<size_t>(
      std::ranges::upper_bound(changes, seen_, {}, &Change::version) - changes.begin());
  if (!from_now && !initial && seen_ < api_.state_.compacted()) {
    send("{\"type\":\"ERROR\",\"object\":" +
         status_text(410, "Expired", "too old resource version: " + asked) + "}\n");
    return finish({});
  }
  if (from_now || initial) {
    send_initial();
  }
  if (initial) {
    send_bookmark(true);
  }
}

void FakeApi::Watch::send_initial() {
  for (const auto& [key, object] : api_.state_.objects_at(seen_)) {
    if (wants(key, object)) {
      send_event("ADDED", *object);
    }
  }
}

bool FakeApi::Watch::wants(const ObjectKey& key, const std::shared_ptr<const Json>& object) const {
  return object && key.collection == request_.collection &&
         (request_.ns.empty() || key.ns == request_.ns) &&
         (request_.name.empty() || key.name == request_.name) && labels_.matches(*object) &&
         fields_.matches(*object);
}

void FakeApi::Watch::send_change(const Change& change) {
  seen_ = change.version;
  const bool before = wants(change.key, change.before);
  const bool after = change.type != Change::Type::Deleted && wants(change.key, change.after);
  if (after) {
    send_event(before ? "MODIFIED" : "ADDED", *change.after, &change);
  } else if (before) {
    // Gone, or no longer selected: then its last selected state with the new version.
    Json last = *change.before;
    last["metadata"]["resourceVersion"] = std::to_string(change.version);
    send_event("DELETED", last, &change);
  }
}

void FakeApi::Watch::send_bookmark(bool end_of_initial) {
  if (request_.parameter("allowWatchBookmarks") != "true") {
    return;
  }
  Json object{{"kind", "Bookmark"},
              {"apiVersion", request_.api_version},
              {"metadata", {{"resourceVersion", std::to_string(seen_)}}}};
  if (end_of_initial) {
    object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
  }
  send_event("BOOKMARK", object);
}

void FakeApi::Watch::send_event(std::string_view type, const Json& object, const Change* change) {
  if (result_ || silent_) {
    return;
  }
  const std::string line = Json{{"type", type}, {"object", object}}.dump() + '\n';
  if (fault_ && events_ >= fault_->after_events) {
    apply_fault(line, change);
  } else {
    send(line);
  }
  ++events_;
}

void FakeApi::Watch::apply_fault(const std::string& line, const Change* change) {
  const StreamFault fault = *std::exchange(fault_, std::nullopt);
  switch (fault.kind) {
    case StreamFault::Kind::Cut:
      return finish({});
    case StreamFault::Kind::Reset:
      flush();
      return finish(fail(ErrorKind::Unavailable, "the connection was reset"));
    case StreamFault::Kind::HalfFrame:
      send(line.substr(0, line.size() / 2));
      return finish({});
    case StreamFault::Kind::Silent:
      silent_ = true;
      return;
    case StreamFault::Kind::Duplicate:
      return send(line + line);
    case StreamFault::Kind::Late:
      send(line);
      if (change != nullptr && change->before) {
        send(Json{{"type", "MODIFIED"}, {"object", *change->before}}.dump() + '\n');
      }
      return;
    case StreamFault::Kind::Garbage:
      return send("<html>no JSON</html>\n" + line);
    case StreamFault::Kind::Unknown:
      return send(R"({"type":"FROBNICATED","object":{"metadata":{"resourceVersion":"1"}}})"
                  "\n"
                  R"({"type":"MODIFIED","object":{"kind":"Thing"}})"
                  "\n" +
                  line);
    case StreamFault::Kind::Status:
      send("{\"type\":\"ERROR\",\"object\":" +
           status_text(fault.status, fault.reason, "an injected fault") + "}\n");
      return finish({});
  }
}

void FakeApi::Watch::send(std::string text) { out_ += text; }

void FakeApi::Watch::flush() {
  if (out_.empty() || api_.is_cut_off(client_)) {
    return;
  }
  const size_t limit = api_.piece_bytes_;
  const size_t line = out_.find('\n');
  const size_t event = line == std::string::npos ? out_.size() : line + 1;
  const std::string piece = out_.substr(0, limit == 0 ? event : std::min(limit, out_.size()));
  out_.erase(0, piece.size());
  last_byte_ = api_.clock_.now();
  if (!sink_(piece)) {
    out_.clear();
    finish({});
  }
}

void FakeApi::Watch::check_time() {
  const TimePoint now = api_.clock_.now();
  if (call_.idle_timeout > Duration::zero() && now >= last_byte_ + call_.idle_timeout) {
    out_.clear();
    result_ = fail(ErrorKind::Timeout, "nothing came for the idle timeout");
  }
  if (result_) {
    return;
  }
  if (silent_) {
    return;
  }
  if (now >= end_) {
    send_bookmark(false);
    return finish({});
  }
  if (now >= next_bookmark_) {
    next_bookmark_ = now + api_.bookmark_every_;
    seen_ = std::max(seen_, api_.state_.cache_version());
    send_bookmark(false);
  }
}

TimePoint FakeApi::Watch::next_alarm() const {
  const TimePoint idle = call_.idle_timeout > Duration::zero() ? last_byte_ + call_.idle_timeout
                                                               : api_.clock_.now() + kFar;
  return silent_ || result_ ? idle : std::min({idle, end_, next_bookmark_});
}

}  // namespace atq::fakes::kube
