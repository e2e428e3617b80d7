#include "controller/core/verdict.hpp"

#include <algorithm>
#include <cmath>

#include "controller/core/describe.hpp"

namespace atq::core {
namespace {

using api::Verdict;

/// Exit codes with a fixed meaning for shells and for the agent: 120 and 121 the agent's
/// own, 126 and 127 "cannot be executed", 128 + n a signal.
constexpr int kLastPlainCode = 125;
constexpr int kFirstAgentCode = 120;
constexpr int kLastAgentCode = 121;

bool lists(const std::vector<int>& codes, int code) noexcept {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

ExitWord word_of(const Replica& replica, const api::ClosingStatement& closing) noexcept {
  return replica.exit ? word_of(*replica.exit, closing) : ExitWord::Error;
}

std::string name_of(const Replica& replica, Role role) {
  return role == Role::Master ? "the master" : "worker " + std::to_string(replica.index);
}

std::string tell_end(const Replica& replica, Role role) {
  return name_of(replica, role) + " " + describe_state(replica);
}

/// "12 of 120 requests failed (10.0%)"
std::string tell_failures(const Statement& statement) {
  std::string text = std::to_string(statement.failures) + " of " +
                     count_of(statement.requests, "request") + " failed";
  if (statement.requests > 0) {
    const double share =
        static_cast<double>(statement.failures) / static_cast<double>(statement.requests);
    const auto tenths = std::lround(share * 1000.0);
    text += " (" + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "%)";
  }
  return text;
}

Judgement judge_passed_exit(const std::optional<Statement>& statement,
                            const api::ClosingStatement& closing, Role role) {
  if (closing.pattern.empty()) {
    return {Verdict::Passed, "ToolPassed",
            role == Role::Master ? "the master exited with success"
                                 : "all workers exited with success"};
  }
  if (!statement) {
    return {Verdict::NoData, "NoStatement",
            "the tool ended without its closing statement: nothing to judge by"};
  }
  if (statement->requests <= 0) {
    return {Verdict::NoData, "NoRequests", "the tool made no request: nothing to judge by"};
  }
  if (closing.failures_fail && statement->failures > 0) {
    return {Verdict::Failed, "RequestsFailed", tell_failures(*statement)};
  }
  return {Verdict::Passed, "ToolPassed", tell_failures(*statement)};
}

Judgement judge_failed_exit(const Replica& end, Role role,
                            const std::optional<Statement>& statement,
                            const api::ClosingStatement& closing) {
  std::string message = tell_end(end, role);
  if (!closing.pattern.empty() && !statement) {
    return {Verdict::Error, role == Role::Master ? "MasterFailed" : "WorkerFailed",
            message + "; without a closing statement"};
  }
  if (statement && (statement->failures > 0 || statement->requests > 0)) {
    message = tell_failures(*statement) + "; " + message;
  }
  return {Verdict::Failed, "ToolFailed", std::move(message)};
}

}  // namespace

ExitWord word_of(const Exit& exit, const api::ClosingStatement& closing) noexcept {
  if (exit.signal != 0) return ExitWord::Error;
  if (lists(closing.passed_exit_codes, exit.code)) return ExitWord::Passed;
  if (lists(closing.failed_exit_codes, exit.code)) return ExitWord::Failed;
  // Nothing said about codes: the exit code is the tool's word, as for any Unix program.
  const bool plain = exit.code >= 1 && exit.code <= kLastPlainCode &&
                     (exit.code < kFirstAgentCode || exit.code > kLastAgentCode);
  if (plain && closing.pattern.empty() && closing.failed_exit_codes.empty()) {
    return ExitWord::Failed;
  }
  return ExitWord::Error;
}

Judgement judge(std::span<const Replica* const> ends, Role role,
                const std::optional<Statement>& statement, const api::ClosingStatement& closing) {
  const Replica* failed = nullptr;
  for (const Replica* end : ends) {
    const ExitWord word = word_of(*end, closing);
    if (word == ExitWord::Error) {
      return {Verdict::Error, role == Role::Master ? "MasterFailed" : "WorkerFailed",
              tell_end(*end, role)};
    }
    if (word == ExitWord::Failed && failed == nullptr) failed = end;
  }
  if (failed != nullptr) return judge_failed_exit(*failed, role, statement, closing);
  return judge_passed_exit(statement, closing, role);
}

}  // namespace atq::core
