#pragma once
// The director's metrics under controller-runtime's exact names, so that dashboards made for Go
// operators fit, and its own under loadtest_. docs/engine.md lists them; the golden file in
// tests/data holds names, labels and types. The engine's thread only.

#include <functional>
#include <memory>
#include <string>

#include "controller/api/types.hpp"
#include "controller/engine/work_queue.hpp"

namespace atq::engine {

enum class ReconcileResult { Success, Error, Requeue, RequeueAfter };

class Metrics final : public QueueObserver {
 public:
  /// `controller` is the label of all of controller-runtime's metrics.
  explicit Metrics(const std::string& controller = "loadtest");
  ~Metrics() override;

  // QueueObserver
  void added(Priority priority) override;
  void taken(Priority priority, Duration waited) override;
  void finished(Duration worked) override;
  void retried() override;
  void depth(Priority priority, size_t items) override;

  void reconciled(ReconcileResult result, Duration took);
  void reconcile_panicked();
  void reconcile_timed_out();
  void reconcile_failed_for_good();
  void set_workers(int active, int maximum);
  void set_leader(bool leading);
  void lease_delayed();  ///< a renewal had to read the lease first

  void run_finished(api::Verdict verdict);
  void action_done(std::string_view action, bool failed);
  void status_written();
  void write_conflicted();
  void listed();  ///< the store told the whole truth
  void orphan_removed();
  /// A request to the API server; `code` 0: there was no answer.
  void api_requested(int code, const std::string& method, const std::string& host);

  /// Values that are read when somebody asks, not kept up to date at idle.
  struct Gauges {
    double unfinished_work_seconds = 0;
    double longest_running_seconds = 0;
    size_t cache_objects = 0;
    size_t source_problems = 0;
    std::map<std::string, std::pair<int, int>> runs;  ///< by runtime: active, queued
  };
  void on_scrape(std::function<Gauges()> probe);

  /// Prometheus' text format 0.0.4.
  std::string render() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atq::engine
