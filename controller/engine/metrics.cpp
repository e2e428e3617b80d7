#include "controller/engine/metrics.hpp"

#include <array>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "controller/engine/process_metrics.hpp"

namespace atq::engine {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

using Labels = std::map<std::string, std::string>;

double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

Family<Counter>& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Gauge>& gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
Family<Histogram>& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

const Histogram::BucketBoundaries& reconcile_buckets() {
  static const Histogram::BucketBoundaries buckets = {
      .005, .01, .025, .05, .1,  .15, .2,  .25, .3, .35, .4, .45, .5, .6, .7, .8, .9, 1,  1.25, 1.5,
      1.75, 2,   2.5,  3,   3.5, 4,   4.5, 5,   6,  7,   8,  9,   10, 15, 20, 25, 30, 40, 50,   60};
  return buckets;
}

/// From 10 ns, each ten times the one before, twelve of them.
const Histogram::BucketBoundaries& queue_buckets() {
  static const Histogram::BucketBoundaries buckets = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3,
                                                      1e-2, 1e-1, 1,    10,   100,  1000};
  return buckets;
}

constexpr std::array kResults = {"success", "error", "requeue", "requeue_after"};

/// controller-runtime's word for the two priorities.
const char* priority_label(Priority priority) {
  return priority == Priority::Normal ? "0" : "-100";
}

}  // namespace

struct Metrics::Impl {
  explicit Impl(const std::string& controller)
      : by_controller{{"controller", controller}},
        by_queue{{"name", controller}, {"controller", controller}} {}

  Counter& counter(const char* name, const char* help, const Labels& labels) {
    return counters(registry, name, help).Add(labels);
  }
  Gauge& gauge(const char* name, const char* help, const Labels& labels) {
    return gauges(registry, name, help).Add(labels);
  }
  Labels with(Labels labels, const std::string& name, const std::string& value) const {
    labels[name] = value;
    return labels;
  }

  prometheus::Registry registry;
  Labels by_controller;
  Labels by_queue;
  std::function<Gauges()> probe;

  // controller-runtime's
  Family<Counter>& reconcile_total = counters(registry, "controller_runtime_reconcile_total",
                                              "Total number of reconciliations per controller");
  Counter& errors = counter("controller_runtime_reconcile_errors_total",
                            "Total number of reconciliation errors per controller", by_controller);
  Counter& terminal =
      counter("controller_runtime_terminal_reconcile_errors_total",
              "Total number of terminal reconciliation errors per controller", by_controller);
  Counter& panics = counter("controller_runtime_reconcile_panics_total",
                            "Total number of reconciliation panics per controller", by_controller);
  Counter& timeouts =
      counter("controller_runtime_reconcile_timeouts_total",
              "Total number of reconciliation timeouts per controller", by_controller);
  Histogram& time = histograms(registry, "controller_runtime_reconcile_time_seconds",
                               "Length of time per reconciliation per controller")
                        .Add(by_controller, reconcile_buckets());
  Gauge& max_workers =
      gauge("controller_runtime_max_concurrent_reconciles",
            "Maximum number of concurrent reconciles per controller", by_controller);
  Gauge& active_workers = gauge("controller_runtime_active_workers",
                                "Number of currently used workers per controller", by_controller);
  Family<Gauge>& depth = gauges(registry, "workqueue_depth", "Current depth of workqueue");
  Counter& adds =
      counter("workqueue_adds_total", "Total number of adds handled by workqueue", by_queue);
  Counter& retries =
      counter("workqueue_retries_total", "Total number of retries handled by workqueue", by_queue);
  Histogram& queue_duration =
      histograms(registry, "workqueue_queue_duration_seconds",
                 "How long in seconds an item stays in workqueue before being requested")
          .Add(by_queue, queue_buckets());
  Histogram& work_duration =
      histograms(registry, "workqueue_work_duration_seconds",
                 "How long in seconds processing an item from workqueue takes")
          .Add(by_queue, queue_buckets());
  Gauge& unfinished = gauge("workqueue_unfinished_work_seconds",
                            "How many seconds of work is in progress and has not been observed by "
                            "work_duration",
                            by_queue);
  Gauge& longest =
      gauge("workqueue_longest_running_processor_seconds",
            "How many seconds the longest running processor has been running", by_queue);
  Gauge& leader =
      gauge("leader_election_master_status",
            "Whether this process leads: 1, or 0 where another does", {{"name", "atq-director"}});
  Counter& slow_path = counter("leader_election_slowpath_total",
                               "Total number of renewals of the lease that had to read it first",
                               {{"name", "atq-director"}});

  Family<Counter>& api_requests =
      counters(registry, "rest_client_requests_total",
               "Number of HTTP requests, partitioned by status code, method, and host.");

  // our own
  Family<Counter>& runs_finished =
      counters(registry, "loadtest_runs_finished_total", "Runs finished, by verdict");
  Family<Gauge>& runs_active =
      gauges(registry, "loadtest_runs_active", "Runs begun and not finished, by runtime");
  Family<Gauge>& runs_queued =
      gauges(registry, "loadtest_runs_queued", "Runs waiting for their place, by runtime");
  Family<Counter>& actions =
      counters(registry, "loadtest_actions_total", "Actions carried out on a runtime or the store");
  Gauge& objects = gauge("loadtest_cache_objects", "LoadTests known", {});
  Gauge& problems =
      gauge("loadtest_source_problems", "Things in the store that are no LoadTest", {});
  Counter& status_writes = counter("loadtest_status_writes_total", "Writes of a status", {});
  Counter& conflicts = counter("loadtest_store_write_conflicts_total",
                               "Writes refused as the object had changed", {});
  Counter& relists =
      counter("loadtest_watch_relists_total", "Times the store told the whole truth", {});
  Counter& orphans = counter("loadtest_orphans_removed_total",
                             "Runs removed as no LoadTest had their uid at start", {});
};

Metrics::Metrics(const std::string& controller) : impl_(std::make_unique<Impl>(controller)) {
  for (const char* result : kResults) {
    impl_->reconcile_total.Add(impl_->with(impl_->by_controller, "result", result));
  }
  for (const Priority priority : {Priority::Normal, Priority::Low}) {
    depth(priority, 0);
  }
  for (const api::Verdict verdict :
       {api::Verdict::Passed, api::Verdict::Failed, api::Verdict::NoData, api::Verdict::Error,
        api::Verdict::Aborted}) {
    impl_->runs_finished.Add({{"verdict", std::string(api::to_string(verdict))}});
  }
}

Metrics::~Metrics() = default;

void Metrics::added(Priority /*priority*/) { impl_->adds.Increment(); }

void Metrics::taken(Priority /*priority*/, Duration waited) {
  impl_->queue_duration.Observe(to_seconds(waited));
}

void Metrics::finished(Duration worked) { impl_->work_duration.Observe(to_seconds(worked)); }

void Metrics::retried() { impl_->retries.Increment(); }

void Metrics::depth(Priority priority, size_t items) {
  impl_->depth.Add(impl_->with(impl_->by_queue, "priority", priority_label(priority)))
      .Set(static_cast<double>(items));
}

void Metrics::reconciled(ReconcileResult result, Duration took) {
  const char* label = kResults.at(static_cast<size_t>(result));
  impl_->reconcile_total.Add(impl_->with(impl_->by_controller, "result", label)).Increment();
  if (result == ReconcileResult::Error) {
    impl_->errors.Increment();
  }
  impl_->time.Observe(to_seconds(took));
}

void Metrics::reconcile_panicked() { impl_->panics.Increment(); }

void Metrics::reconcile_timed_out() { impl_->timeouts.Increment(); }

void Metrics::reconcile_failed_for_good() { impl_->terminal.Increment(); }

void Metrics::set_workers(int active, int maximum) {
  impl_->active_workers.Set(active);
  impl_->max_workers.Set(maximum);
}

void Metrics::lease_delayed() { impl_->slow_path.Increment(); }
void Metrics::set_leader(bool leading) { impl_->leader.Set(leading ? 1 : 0); }

void Metrics::run_finished(api::Verdict verdict) {
  impl_->runs_finished.Add({{"verdict", std::string(api::to_string(verdict))}}).Increment();
}

void Metrics::action_done(std::string_view action, bool failed) {
  impl_->actions.Add({{"action", std::string(action)}, {"result", failed ? "error" : "success"}})
      .Increment();
}

void Metrics::status_written() { impl_->status_writes.Increment(); }

void Metrics::write_conflicted() { impl_->conflicts.Increment(); }

void Metrics::listed() { impl_->relists.Increment(); }

void Metrics::orphan_removed() { impl_->orphans.Increment(); }

void Metrics::api_requested(int code, const std::string& method, const std::string& host) {
  impl_->api_requests
      .Add({{"code", code > 0 ? std::to_string(code) : "<error>"},
            {"method", method},
            {"host", host}})
      .Increment();
}

void Metrics::on_scrape(std::function<Gauges()> probe) { impl_->probe = std::move(probe); }

std::string Metrics::render() const {
  if (impl_->probe) {
    const Gauges now = impl_->probe();
    impl_->unfinished.Set(now.unfinished_work_seconds);
    impl_->longest.Set(now.longest_running_seconds);
    impl_->objects.Set(static_cast<double>(now.cache_objects));
    impl_->problems.Set(static_cast<double>(now.source_problems));
    for (const auto& [runtime, runs] : now.runs) {
      impl_->runs_active.Add({{"runtime", runtime}}).Set(runs.first);
      impl_->runs_queued.Add({{"runtime", runtime}}).Set(runs.second);
    }
  }
  auto families = impl_->registry.Collect();
  const auto process = collect_process_metrics();
  families.insert(families.end(), process.begin(), process.end());
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace atq::engine
