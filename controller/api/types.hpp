#pragma once
// The LoadTest object, atq.dev/v1alpha1, as C++ values. The schema with every bound stands in
// crd/loadtests.atq.dev.yaml; the meaning of the fields in docs/loadtest.md. Plain values:
// copyable, comparable, no invariants of their own. Defaults written here are the schema's
// defaults; what depends on the tool profile is empty until resolve() (profile.hpp) has filled it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "src/base/time.hpp"

namespace atq::api {

inline constexpr std::string_view kApiVersion = "atq.dev/v1alpha1";
inline constexpr std::string_view kKind = "LoadTest";

/// Annotations that carry requests (design: "Runs"). Values: "4/Graceful" or "4/Now"; a free token.
inline constexpr std::string_view kStopAnnotation = "atq.dev/stop";
inline constexpr std::string_view kRerunAnnotation = "atq.dev/rerun";

/// Namespace and name; the order of listings and of every deterministic iteration.
struct Key {
  std::string ns;
  std::string name;
  auto operator<=>(const Key&) const = default;
};

/// "namespace/name"
std::string to_string(const Key& key);

struct ObjectMeta {
  std::string name;
  std::string ns = "default";  ///< JSON: namespace
  std::string uid;
  std::string resource_version;
  int64_t generation = 0;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::optional<TimePoint> creation_timestamp;
  std::optional<TimePoint> deletion_timestamp;
  std::vector<std::string> finalizers;
  bool operator==(const ObjectMeta&) const = default;
};

// ---- spec ------------------------------------------------------------------------------------

/// Exactly one of the sources is set (CEL rule files-one-source).
struct FileSource {
  std::map<std::string, std::string> inline_files;  ///< JSON: inline, {file name: content}
  std::string config_map;                           ///< JSON: configMap.name
  std::string secret;                               ///< JSON: secret.secretName
  std::string databind;                             ///< JSON: databind.id
  std::string path;  ///< relative to the YAML file, never outside its folder
  bool operator==(const FileSource&) const = default;
};

struct SecretKeyRef {
  std::string name;
  std::string key;
  bool operator==(const SecretKeyRef&) const = default;
};

struct EnvVar {
  std::string name;
  std::string value;
  std::optional<SecretKeyRef>
      secret_key_ref;  ///< JSON: valueFrom.secretKeyRef; then value is empty
  bool operator==(const EnvVar&) const = default;
};

enum class Protocol { Tcp, Udp };  ///< JSON: TCP, UDP

struct Port {
  std::string name;  ///< DNS label; ATQ_PORT_<NAME> in the environment
  int32_t port = 0;  ///< JSON: containerPort, 1..65535
  Protocol protocol = Protocol::Tcp;
  int32_t published = 0;  ///< JSON: publishedPort; 0: not published
  bool operator==(const Port&) const = default;
};

struct Resources {
  std::map<std::string, std::string>
      requests;  ///< Kubernetes quantities: cpu "500m", memory "64Mi"
  std::map<std::string, std::string> limits;
  bool operator==(const Resources&) const = default;
};

/// What both roles have.
struct RoleSpec {
  std::string image;
  std::vector<std::string> command;  ///< empty: the profile's
  std::vector<std::string> args;
  std::vector<EnvVar> env;
  std::string working_dir;  ///< JSON: workingDir; empty: the folder of the files
  std::vector<Port> ports;
  Resources resources;
  bool tty = false;
  std::vector<FileSource> files;
  bool operator==(const RoleSpec&) const = default;
};

enum class OnFailure { Fail, Ignore };

/// At most one of tcp_port, http_get, log is set; none: `running` (the process has started).
struct HttpGet {
  int32_t port = 0;
  std::string path = "/";
  bool operator==(const HttpGet&) const = default;
};
struct Readiness {
  int32_t tcp_port = 0;             ///< JSON: tcpPort
  std::optional<HttpGet> http_get;  ///< JSON: httpGet
  std::string log;                  ///< RE2 on a line of the tool's stdout or stderr
  bool running = false;
  bool operator==(const Readiness&) const = default;
};

struct WorkerSpec {
  RoleSpec role;         ///< its fields stand beside replicas in JSON
  int32_t replicas = 1;  ///< 1..1000
  OnFailure on_failure = OnFailure::Fail;
  std::optional<Readiness> readiness;  ///< unset: the profile's
  bool operator==(const WorkerSpec&) const = default;
};

struct TcpCheck {
  int32_t port = 0;
  bool operator==(const TcpCheck&) const = default;
};
struct UdpCheck {
  int32_t port = 0;
  std::string send;    ///< payload; empty: an empty datagram
  std::string expect;  ///< RE2 on the answer; empty: "no ICMP port unreachable within the time-out"
  bool operator==(const UdpCheck&) const = default;
};
struct HttpCheck {
  int32_t port = 0;
  std::string path = "/";
  int32_t status = 0;  ///< JSON: expect.status; 0: any 2xx or 3xx
  std::string body;    ///< JSON: expect.body, RE2; empty: any
  bool operator==(const HttpCheck&) const = default;
};
struct ExecCheck {
  std::string image;
  std::vector<std::string> command;
  int32_t exit_code = 0;  ///< JSON: expect.exitCode
  std::string output;     ///< JSON: expect.output, RE2 on stdout; empty: any
  bool operator==(const ExecCheck&) const = default;
};
using CheckKind = std::variant<TcpCheck, UdpCheck, HttpCheck, ExecCheck>;

struct HealthCheckItem {
  std::string name;
  CheckKind check;                ///< JSON: one of tcp, udp, http, exec
  int32_t timeout_seconds = 2;    ///< of one try
  int32_t period_seconds = 1;     ///< from the end of a try to the next after a failure; successes
                                  ///< follow each other at once
  int32_t success_threshold = 1;  ///< consecutive successes needed
  bool operator==(const HealthCheckItem&) const = default;
};

struct HealthCheckSpec {
  int32_t delay_seconds = 0;  ///< waited after all checks have passed
  std::vector<HealthCheckItem> checks;
  bool operator==(const HealthCheckSpec&) const = default;
};

enum class CleanupPolicy { Always, OnSuccess, Never };

struct RunPolicy {
  bool suspend = false;
  int32_t startup_deadline_seconds = 600;
  int32_t active_deadline_seconds = 7200;
  int32_t collect_deadline_seconds = 120;
  int32_t stop_grace_seconds = 30;
  CleanupPolicy cleanup_policy = CleanupPolicy::OnSuccess;  ///< JSON: cleanup.policy
  int32_t cleanup_after_seconds = 0;                        ///< JSON: cleanup.afterSeconds
  bool operator==(const RunPolicy&) const = default;
};

struct LoadShape {
  int32_t warm_up_seconds = 0;
  int32_t ramp_down_seconds = 0;
  bool operator==(const LoadShape&) const = default;
};

/// Hatches of single runtimes. Free-form parts are kept as compact JSON text ("" = absent).
struct KubernetesOptions {
  std::string worker_pod_template;  ///< JSON: worker.podTemplate
  std::string master_pod_template;  ///< JSON: master.podTemplate
  std::string service_account_name;
  std::vector<std::string> image_pull_secrets;  ///< JSON: [{name}]
  std::string topology_spread_constraints;      ///< JSON array text
  bool operator==(const KubernetesOptions&) const = default;
};
struct SwarmOptions {
  std::vector<std::string> constraints;
  bool encrypted = false;
  std::string subnet;
  bool operator==(const SwarmOptions&) const = default;
};
struct ProcessOptions {
  bool network_namespace = false;  ///< JSON: networkNamespace; one each, needs root
  bool operator==(const ProcessOptions&) const = default;
};

struct LoadTestSpec {
  std::string tool = "custom";
  std::string runtime;
  std::map<std::string, std::string> parameters;
  LoadShape load;
  std::vector<FileSource> files;
  WorkerSpec worker;
  HealthCheckSpec health_check;
  std::optional<RoleSpec> master;  ///< absent: the profile's, if it has one
  std::vector<std::string> thresholds;
  std::string run_nonce;
  RunPolicy run_policy;
  KubernetesOptions kubernetes;
  SwarmOptions swarm;
  ProcessOptions process;
  bool operator==(const LoadTestSpec&) const = default;
};

// ---- status ----------------------------------------------------------------------------------

enum class Phase {
  Pending,
  Queued,
  Suspended,
  Discovery,
  Workers,
  HealthCheck,
  Master,
  Collecting,
  Finished
};
enum class Verdict { None, Passed, Failed, NoData, Error, Aborted };  ///< None is "" in JSON

enum class ConditionType {
  Accepted,
  Admitted,
  Discovered,
  WorkersReady,
  HealthChecked,
  MasterStarted,
  ResultsCollected,
  ThresholdsMet,
  UpToDate,
  Finished,
  Ready,
  Reconciling,
  Stalled
};
inline constexpr size_t kConditionCount = 13;
enum class ConditionStatus { True, False, Unknown };

struct Condition {
  ConditionType type = ConditionType::Accepted;
  ConditionStatus status = ConditionStatus::Unknown;
  int64_t observed_generation = 0;
  TimePoint last_transition_time{};  ///< changes only when `status` flips
  std::string reason;                ///< CamelCase
  std::string message;
  bool operator==(const Condition&) const = default;
};

/// When a run passed its milestones. Deadlines count from these, so they survive the director.
struct RunStatus {
  int64_t number = 0;       ///< 0: none yet
  std::string nonce;        ///< spec.runNonce it was started for
  std::string rerun_token;  ///< last served value of the rerun annotation
  std::string spec_hash;
  std::optional<TimePoint> queued_at;          ///< asked for; the order of admission
  std::optional<TimePoint> started_at;         ///< Discovery began
  std::optional<TimePoint> workers_ready_at;   ///< HealthCheck began
  std::optional<TimePoint> checks_passed_at;   ///< delaySeconds counts from here
  std::optional<TimePoint> master_started_at;  ///< Master began
  std::optional<TimePoint> collecting_at;      ///< the verdict was latched
  std::optional<TimePoint> finished_at;
  std::string stop_request;                    ///< last served value of the stop annotation
  std::optional<TimePoint> stop_requested_at;  ///< a graceful stop began
  bool operator==(const RunStatus&) const = default;
};

struct WorkersStatus {
  int32_t desired = 0;
  int32_t discovered = 0;
  int32_t ready = 0;
  int32_t lost = 0;
  std::vector<std::string> addresses;  ///< at most kMaxAddresses
  bool operator==(const WorkersStatus&) const = default;
};
inline constexpr size_t kMaxAddresses = 32;
inline constexpr size_t kMaxHistory = 10;
inline constexpr size_t kMaxStatusBytes = 8 * 1024;

struct LatencySummary {
  std::optional<int64_t> p50, p95, p99, max;  ///< microseconds; what is not known is left out
  bool operator==(const LatencySummary&) const = default;
};
struct Summary {
  bool final = false;
  int32_t workers_reporting = 0;
  int64_t requests = 0;
  int64_t failures = 0;
  std::string requests_per_second;  ///< decimal string, one digit after the point
  LatencySummary latency;           ///< JSON: latencyMicroseconds
  bool operator==(const Summary&) const = default;
};

enum class ThresholdVerdict { NoData, Pass, Warn, Fail };
struct ThresholdStatus {
  std::string expr;
  std::string value;
  ThresholdVerdict verdict = ThresholdVerdict::NoData;
  bool operator==(const ThresholdStatus&) const = default;
};

struct Artifact {
  std::string name, url, sha256;
  bool operator==(const Artifact&) const = default;
};

struct HistoryEntry {
  int64_t number = 0;
  Verdict verdict = Verdict::None;
  TimePoint finished_at{};
  bool operator==(const HistoryEntry&) const = default;
};

struct LoadTestStatus {
  int64_t observed_generation = 0;
  Phase phase = Phase::Pending;  ///< derived from the conditions; code never branches on it
  Verdict verdict = Verdict::None;
  std::string reason;
  std::string message;
  RunStatus run;
  WorkersStatus workers;
  std::optional<int64_t> start_skew_microseconds;  ///< JSON: start.skewMicroseconds
  std::optional<Summary> summary;
  std::vector<ThresholdStatus> thresholds;
  std::vector<Artifact> artifacts;
  std::vector<HistoryEntry> history;  ///< newest first, at most kMaxHistory
  std::vector<Condition> conditions;  ///< in the order of ConditionType; all 13 once visited
  bool operator==(const LoadTestStatus&) const = default;
};

struct LoadTest {
  ObjectMeta metadata;
  LoadTestSpec spec;
  LoadTestStatus status;
  bool operator==(const LoadTest&) const = default;
};

inline Key key_of(const LoadTest& test) { return {test.metadata.ns, test.metadata.name}; }

/// Names as they stand in JSON.
std::string_view to_string(Phase phase) noexcept;
std::string_view to_string(Verdict verdict) noexcept;
std::string_view to_string(ConditionType type) noexcept;
std::string_view to_string(ConditionStatus status) noexcept;
std::string_view to_string(ThresholdVerdict verdict) noexcept;

/// The condition of that type; nullptr where the status has none yet.
const Condition* find_condition(const LoadTestStatus& status, ConditionType type) noexcept;

/// Exit code of `atq` for a finished run: 0, 99 Failed, 98 NoData, 97 Error, 105 Aborted; 97 for
/// None.
int exit_code(Verdict verdict) noexcept;

}  // namespace atq::api
