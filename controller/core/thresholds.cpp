#include "controller/core/thresholds.hpp"

#include "controller/core/describe.hpp"
#include "controller/core/policies.hpp"
#include "src/base/text.hpp"
#include "src/results/threshold.hpp"

namespace atq::core {
namespace {

using api::ThresholdVerdict;

/// What the list may take of the status, of which there are kMaxStatusBytes in all.
constexpr size_t kMaxListBytes = 1'800;
constexpr size_t kEntryBytes = 48;
constexpr size_t kMaxExpr = 160;
constexpr size_t kMaxValue = 40;

results::ClosingTotals totals_of(const Pass& pass) {
  results::ClosingTotals totals;
  totals.workers_lost = pass.workers.lost;
  const api::LoadShape& load = pass.frozen->spec.load;
  totals.all_steady = load.warm_up_seconds == 0 && load.ramp_down_seconds == 0;
  if (!pass.run->statement) return totals;
  const Statement& statement = *pass.run->statement;
  totals.requests = statement.requests;
  totals.failures = statement.failures;
  totals.requests_per_second = statement.requests_per_second;
  return totals;
}

struct Ruling {
  api::ThresholdStatus status;
  bool counts = true;  ///< not `on warn`
};

Ruling rule(const std::string& text, const results::ClosingTotals& totals) {
  Ruling ruling;
  ruling.status.expr = tidy(text, kMaxExpr);
  const auto threshold = results::parse_threshold(text);
  if (!threshold) return ruling;
  ruling.counts = threshold->on != results::OnViolation::Warn;
  const auto judgement = results::evaluate_closing(*threshold, totals);
  if (!judgement) return ruling;
  ruling.status.value = tidy(judgement->value, kMaxValue);
  const ThresholdVerdict violated = ruling.counts ? ThresholdVerdict::Fail : ThresholdVerdict::Warn;
  ruling.status.verdict = judgement->holds ? ThresholdVerdict::Pass : violated;
  return ruling;
}

/// Those that did not pass come first where there is no room for all.
std::vector<api::ThresholdStatus> fit(const std::vector<Ruling>& rulings) {
  std::vector<bool> chosen(rulings.size(), false);
  size_t used = 0;
  for (const bool passed : {false, true}) {
    for (size_t i = 0; i < rulings.size(); ++i) {
      const api::ThresholdStatus& status = rulings[i].status;
      if ((status.verdict == ThresholdVerdict::Pass) != passed) continue;
      const size_t bytes = status.expr.size() + status.value.size() + kEntryBytes;
      if (used + bytes > kMaxListBytes) continue;
      used += bytes;
      chosen[i] = true;
    }
  }
  std::vector<api::ThresholdStatus> list;
  for (size_t i = 0; i < rulings.size(); ++i) {
    if (chosen[i]) list.push_back(rulings[i].status);
  }
  return list;
}

const Ruling* first_with(const std::vector<Ruling>& rulings, ThresholdVerdict verdict) {
  for (const Ruling& ruling : rulings) {
    if (ruling.counts && ruling.status.verdict == verdict) return &ruling;
  }
  return nullptr;
}

}  // namespace

void judge_thresholds(Pass& pass, Judgement& judgement) {
  const auto& expressions = pass.frozen->spec.thresholds;
  if (expressions.empty()) return;
  const results::ClosingTotals totals = totals_of(pass);
  std::vector<Ruling> rulings;
  rulings.reserve(expressions.size());
  for (const std::string& text : expressions) rulings.push_back(rule(text, totals));
  pass.status.thresholds = fit(rulings);
  if (judgement.verdict != api::Verdict::Passed) return;
  if (const Ruling* failed = first_with(rulings, ThresholdVerdict::Fail)) {
    judgement = {api::Verdict::Failed, "ThresholdsFailed",
                 failed->status.expr + ": it was " + failed->status.value};
  } else if (const Ruling* unjudged = first_with(rulings, ThresholdVerdict::NoData)) {
    judgement = {api::Verdict::NoData, "ThresholdsNotJudged",
                 unjudged->status.expr + ": cannot be judged by what the tool says when it ends"};
  }
}

}  // namespace atq::core
