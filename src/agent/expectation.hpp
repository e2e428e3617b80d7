#pragma once
// What a check expects, and whether an answer meets it. Pure. Each judgement is "" (met) or why
// not.

#include <memory>
#include <string>
#include <string_view>

#include "src/agent/protocol.hpp"
#include "src/base/error.hpp"

namespace re2 {
class RE2;
}

namespace atq::agent {

/// A regular expression, compiled with a bound on its memory. Invalid where it is none.
Result<std::shared_ptr<const re2::RE2>> compile_pattern(const std::string& pattern);
bool matches(const re2::RE2& pattern, std::string_view text);

/// A check, ready to be tried.
struct Check {
  ProbeTarget target;
  std::shared_ptr<const re2::RE2> expect;  ///< null: anything will do
};
Result<Check> prepare_check(const ProbeTarget& target);

/// "tcp 127.0.0.1:1099"; an IPv6 address in brackets.
std::string describe(const ProbeTarget& target);

std::string judge_http(const Check& check, int status, std::string_view body);
std::string judge_udp(const Check& check, std::string_view answer);
/// `signal`: of the command's death, 0 if it exited.
std::string judge_exec(const Check& check, int exit_code, int signal, std::string_view output);

/// The last non-empty line, printable and bounded, for messages.
std::string last_line(std::string_view output);

}  // namespace atq::agent
