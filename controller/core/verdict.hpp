#pragma once
// What the end of a run means: a pure table from exit codes and the tool's closing statement to the
// verdict. docs/state-machine.md has it as a table; verdict_test.cpp tests every row.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "controller/api/profile.hpp"
#include "controller/core/world.hpp"

namespace atq::core {

/// What an exit says, by the profile's lists of exit codes.
enum class ExitWord {
  Passed,
  Failed,  ///< the tool says that the target failed
  Error,   ///< the tool could not do its work: a signal, "cannot start", a code nobody knows
};
ExitWord word_of(const Exit& exit, const api::ClosingStatement& closing) noexcept;

struct Judgement {
  api::Verdict verdict = api::Verdict::Error;
  std::string_view reason;  ///< CamelCase, static
  std::string message;
};

/// `ends`: of the master, or of all workers that count in a masterless run (none null); `role` is
/// named in messages. An end whose exit nobody saw is an Error.
Judgement judge(std::span<const Replica* const> ends, Role role,
                const std::optional<Statement>& statement, const api::ClosingStatement& closing);

}  // namespace atq::core
