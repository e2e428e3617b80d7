#include "src/agent/protocol.hpp"

#include <algorithm>
#include <initializer_list>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "src/agent/protocol_json.hpp"
#include "src/base/text.hpp"

namespace atq::agent {
/// T or const T: reading and writing share one list of fields.
template <class T, class Of>
concept Fields = std::is_same_v<std::remove_const_t<T>, Of>;

template <class Visitor, Fields<ReadinessSpec> T>
static void fields(Visitor& field, T& value) {
  field("tcpPort", value.tcp_port);
  field("httpPort", value.http_port);
  field("httpPath", value.http_path);
  field("logPattern", value.log_pattern);
}

template <class Visitor, Fields<StopSpec> T>
static void fields(Visitor& field, T& value) {
  field("udpPort", value.udp_port);
  field("graceful", value.graceful);
  field("now", value.now);
}

template <class Visitor, Fields<ReplicaSpec> T>
static void fields(Visitor& field, T& value) {
  field("command", value.command);
  field("environment", value.environment);
  field("workingDir", value.working_dir);
  field("address", value.address);
  field("tty", value.tty);
  field("waitForRelease", value.wait_for_release);
  field("dieWithParent", value.die_with_parent);
  field("readiness", value.readiness);
  field("stop", value.stop);
  field("graceMs", value.grace_ms);
  field("maxLogBytes", value.max_log_bytes);
}

template <class Visitor, Fields<Started> T>
static void fields(Visitor& field, T& value) {
  field("pid", value.pid);
  field("startTicks", value.start_ticks);
  field("bootId", value.boot_id);
  field("atUs", value.at_us);
}

template <class Visitor, Fields<ExitRecord> T>
static void fields(Visitor& field, T& value) {
  field("code", value.code);
  field("signal", value.signal);
  field("error", value.error);
  field("atUs", value.at_us);
  field("ranForUs", value.ran_for_us);
  field("userUs", value.user_us);
  field("systemUs", value.system_us);
  field("maxRssKib", value.max_rss_kib);
  field("lastLines", value.last_lines);
}

template <class Visitor, Fields<CheckReport> T>
static void fields(Visitor& field, T& value) {
  field("name", value.name);
  field("worker", value.worker);
  field("passed", value.passed);
  field("tries", value.tries);
  field("error", value.error);
  field("atUs", value.at_us);
}

template <class Visitor, Fields<StartAnswer> T>
static void fields(Visitor& field, T& value) {
  field("startedAtUs", value.started_at_us);
}

template <class Visitor, Fields<StartReport> T>
static void fields(Visitor& field, T& value) {
  field("skewUs", value.skew_us);
  field("started", value.started);
  field("errors", value.errors);
}

template <class Visitor, Fields<ProbeTarget> T>
static void fields(Visitor& field, T& value) {
  field("name", value.name);
  field("worker", value.worker);
  field("kind", value.kind);
  field("host", value.host);
  field("port", value.port);
  field("path", value.path);
  field("send", value.send);
  field("expect", value.expect);
  field("status", value.status);
  field("command", value.command);
  field("environment", value.environment);
  field("exitCode", value.exit_code);
  field("timeoutMs", value.timeout_ms);
  field("periodMs", value.period_ms);
  field("successThreshold", value.success_threshold);
}

// What the types alone cannot say: "" or "FIELD: problem".

static std::string check_range(std::string_view field, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return std::string(field) + ": " + std::to_string(value) + " is not between " +
         std::to_string(least) + " and " + std::to_string(most);
}

static std::string first_of(std::initializer_list<std::string> problems) {
  for (const std::string& problem : problems) {
    if (!problem.empty()) return problem;
  }
  return {};
}

static constexpr int64_t kMaxPort = 65'535;
static constexpr int64_t kDayMs = 24LL * 3600 * 1000;

static std::string check(const ReplicaSpec& spec) {
  if (spec.command.empty() || spec.command.front().empty()) {
    return "command: empty, expected the tool's path or name and its arguments";
  }
  return first_of({check_range("readiness.tcpPort", spec.readiness.tcp_port, 0, kMaxPort),
                   check_range("readiness.httpPort", spec.readiness.http_port, 0, kMaxPort),
                   check_range("stop.udpPort", spec.stop.udp_port, 0, kMaxPort),
                   check_range("graceMs", spec.grace_ms, 0, kDayMs),
                   check_range("maxLogBytes", spec.max_log_bytes, 1, int64_t{1} << 40)});
}

static bool has_blank_or_control(std::string_view text) {
  return std::ranges::any_of(
      text, [](char sign) { return static_cast<unsigned char>(sign) <= ' ' || sign == 0x7f; });
}

static std::string check(const ProbeTarget& target) {
  const bool exec = target.kind == "exec";
  if (!exec && target.kind != "tcp" && target.kind != "udp" && target.kind != "http") {
    return "kind: found \"" + target.kind + "\", expected tcp, udp, http or exec";
  }
  if (exec && (target.command.empty() || target.command.front().empty())) {
    return "command: empty, expected what the exec check runs";
  }
  if (!exec && target.host.empty()) return "host: empty, expected an address or a name";
  // Both stand in the lines of an HTTP request.
  if (has_blank_or_control(target.host)) return "host: holds a blank or a control sign";
  if (has_blank_or_control(target.path)) return "path: holds a blank or a control sign";
  return first_of({exec ? "" : check_range("port", target.port, 1, kMaxPort),
                   check_range("status", target.status, 0, 599),
                   check_range("timeoutMs", target.timeout_ms, 1, kDayMs),
                   check_range("periodMs", target.period_ms, 1, kDayMs),
                   check_range("successThreshold", target.success_threshold, 1, 1'000'000)});
}

static std::string check(const Started& started) { return started.pid > 0 ? "" : "pid: missing"; }
static std::string check(const ExitRecord&) { return {}; }
static std::string check(const CheckReport&) { return {}; }
static std::string check(const StartReport&) { return {}; }
static std::string check(const StartAnswer& answer) {
  return answer.started_at_us > 0 ? "" : "startedAtUs: missing";
}

namespace {

template <class T>
json::Json to_json(const T& value) {
  json::Json object = json::Json::object();
  json::Writer writer(object);
  fields(writer, value);
  return object;
}

template <class T>
Result<T> from_json(const json::Json& object, const std::string& path = {}) {
  if (!object.is_object()) {
    return fail(ErrorKind::Invalid, (path.empty() ? "" : path + ": ") +
                                        "expected an object, found " + object.type_name());
  }
  T value;
  json::Reader reader(object, path);
  fields(reader, value);
  if (reader.error()) return fail(ErrorKind::Invalid, *reader.error());
  if (const std::string problem = check(value); !problem.empty()) {
    return fail(ErrorKind::Invalid, (path.empty() ? "" : path + ".") + problem);
  }
  return value;
}

template <class T>
Result<T> from_text(std::string_view text) {
  const auto document = json::parse(text);
  if (!document) return std::unexpected(document.error());
  return from_json<T>(*document);
}

}  // namespace

std::string encode(const ReplicaSpec& spec) { return json::to_text(to_json(spec)); }
std::string encode(const Started& started) { return json::to_text(to_json(started)); }
std::string encode(const ExitRecord& record) { return json::to_text(to_json(record)); }
std::string encode(const CheckReport& report) { return json::to_text(to_json(report)); }
std::string encode(const StartAnswer& answer) { return json::to_text(to_json(answer)); }
std::string encode(const StartReport& report) { return json::to_text(to_json(report)); }

std::string encode_within(size_t limit, ExitRecord record) {
  for (;;) {
    std::string text = encode(record);
    if (text.size() <= limit) return text;
    if (!record.last_lines.empty()) {
      record.last_lines.erase(record.last_lines.begin());
    } else {
      // Escapes make bytes longer, so by halves until it fits.
      record.error = truncate(record.error, record.error.size() / 2);
    }
  }
}

std::string encode(const std::vector<ProbeTarget>& targets) {
  json::Json array = json::Json::array();
  for (const ProbeTarget& target : targets) array.push_back(to_json(target));
  return json::to_text(array);
}

Result<ReplicaSpec> decode_replica_spec(std::string_view text) {
  return from_text<ReplicaSpec>(text);
}
Result<Started> decode_started(std::string_view text) { return from_text<Started>(text); }
Result<ExitRecord> decode_exit_record(std::string_view text) { return from_text<ExitRecord>(text); }
Result<StartAnswer> decode_start_answer(std::string_view text) {
  return from_text<StartAnswer>(text);
}
Result<StartReport> decode_start_report(std::string_view text) {
  return from_text<StartReport>(text);
}
Result<CheckReport> decode_check_report(std::string_view text) {
  return from_text<CheckReport>(text);
}

Result<std::vector<ProbeTarget>> decode_probe_targets(std::string_view text) {
  const auto document = json::parse(text);
  if (!document) return std::unexpected(document.error());
  if (!document->is_array()) {
    return fail(ErrorKind::Invalid,
                std::string("expected an array of checks, found ") + document->type_name());
  }
  std::vector<ProbeTarget> targets;
  for (const json::Json& item : *document) {
    auto target = from_json<ProbeTarget>(item, "[" + std::to_string(targets.size()) + "]");
    if (!target) return std::unexpected(target.error());
    targets.push_back(*std::move(target));
  }
  return targets;
}

}  // namespace atq::agent
