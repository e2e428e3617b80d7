// Which runs there are to be. Only three things ask for one: that there was none yet, a changed
// nonce, and a rerun token. An edit of the spec never does.

#include "controller/core/policies.hpp"

namespace atq::core {
namespace {

std::string rerun_mark(const Pass& pass) {
  const auto found = pass.test.metadata.annotations.find(std::string(api::kRerunAnnotation));
  return found == pass.test.metadata.annotations.end() ? std::string() : mark_of(found->second);
}

bool asks_for_rerun(const Pass& pass) {
  const auto& annotations = pass.test.metadata.annotations;
  if (annotations.empty()) return false;
  const std::string mark = rerun_mark(pass);
  return !mark.empty() && mark != pass.status.run.rerun_token;
}

void forget_last_run(api::LoadTestStatus& status) {
  status.verdict = api::Verdict::None;
  status.reason.clear();
  status.message.clear();
  status.workers = {};
  status.start_skew_microseconds.reset();
  status.summary.reset();
  status.thresholds.clear();
  status.artifacts.clear();
}

}  // namespace

bool is_run_wanted(const Pass& pass) {
  const api::RunStatus& last = pass.status.run;
  if (last.number == 0) return true;
  const std::string& nonce = pass.test.spec.run_nonce;
  const bool same_nonce = nonce == last.nonce || mark_of(nonce) == last.nonce;
  return !same_nonce || asks_for_rerun(pass);
}

void open_run(Pass& pass, int64_t number) {
  api::RunStatus& run = pass.status.run;
  api::RunStatus next;
  next.number = number;
  next.nonce = mark_of(pass.test.spec.run_nonce);
  next.rerun_token = asks_for_rerun(pass) ? rerun_mark(pass) : run.rerun_token;
  next.stop_request = run.stop_request;
  next.queued_at = run.queued_at;
  if (!next.queued_at || (run.finished_at && *next.queued_at < *run.finished_at)) {
    next.queued_at = pass.now;
  }
  next.started_at = pass.now;
  run = std::move(next);
  forget_last_run(pass.status);
  pass.discovered = false;
  pass.wants_next = false;
  pass.holding = {};
  pass.find_run();
}

void adopt_run(Pass& pass) {
  int64_t highest = 0;
  for (const ObservedRun& observed : pass.world.observed) {
    if (observed.number > highest) highest = observed.number;
  }
  if (highest <= pass.status.run.number) return;
  open_run(pass, highest);
  // What it was begun for stands in its frozen spec: a later change of the nonce is one more run.
  if (pass.frozen != nullptr) {
    pass.status.run.nonce = mark_of(pass.frozen->spec.run_nonce);
    pass.status.run.spec_hash = api::spec_hash(pass.frozen->spec);
  }
}

}  // namespace atq::core
